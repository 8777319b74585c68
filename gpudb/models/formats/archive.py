"""Members of a zip file, in place: the container of ``torch.save`` and of NumPy's ``savez``."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from gpudb.errors import UnsupportedError
from gpudb.models.formats.checked import broken, short
from gpudb.types import HostArray

MAGIC = b"PK\x03\x04"
LOCAL_HEADER_BYTES = 30
MOST_INFLATION = 1032
"""No deflated byte becomes more: a length of 258 takes two bits."""


def members(file: Path) -> dict[str, zipfile.ZipInfo]:
    """The directory of a zip file.

    Raises
    ------
    CheckpointError
        It is cut short or damaged, or a name stands there twice.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, OverflowError) as error:
        raise broken(
            file, f"a zip file without its directory ({error})", "one written to its end"
        ) from error
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if info.filename in found:
            raise broken(file, f"{short(info.filename)} twice", "each member once")
        found[info.filename] = info
    return found


def stored(file: Path, content: HostArray, info: zipfile.ZipInfo) -> HostArray:
    """The bytes of a member that is stored as it is; a view of ``content``."""
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise UnsupportedError(
            f"{file}: member {short(info.filename)} is compressed; expected it stored, as "
            "torch.save writes it"
        )
    return _packed(file, content, info)


def inflated(file: Path, content: HostArray, info: zipfile.ZipInfo) -> HostArray:
    """The bytes of a member, in place where it is stored, else inflated."""
    if info.compress_type == zipfile.ZIP_STORED:
        return stored(file, content, info)
    name = short(info.filename)
    if info.compress_type != zipfile.ZIP_DEFLATED:
        raise UnsupportedError(
            f"{file}: member {name} is compressed with method {info.compress_type}; expected it "
            "stored or deflated, as numpy.savez and numpy.savez_compressed write it"
        )
    packed = _packed(file, content, info)
    if info.file_size > packed.size * MOST_INFLATION:
        raise broken(
            file, f"{packed.size:,} bytes that claim to hold {info.file_size:,}", "a true size"
        )
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = stream.decompress(packed.tobytes(), max(info.file_size, 1))
    except zlib.error as error:
        raise broken(file, f"member {name} damaged ({error})", "deflated data") from error
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise broken(file, f"member {name} damaged", "the size and checksum of the directory")
    return np.frombuffer(data, np.uint8)


def _packed(file: Path, content: HostArray, info: zipfile.ZipInfo) -> HostArray:
    name = short(info.filename)
    if info.flag_bits & 1:
        raise UnsupportedError(f"{file}: member {name} is encrypted; expected a plain zip file")
    header = content[info.header_offset : info.header_offset + LOCAL_HEADER_BYTES].tobytes()
    if len(header) < LOCAL_HEADER_BYTES or not header.startswith(MAGIC):
        raise broken(file, f"no header of member {name}", "a member where the directory says")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    begin = info.header_offset + LOCAL_HEADER_BYTES + lengths
    data = content[begin : begin + info.compress_size]
    if data.size < info.compress_size:
        raise broken(
            file,
            f"member {name} of {info.compress_size:,} bytes, {data.size:,} of them in the file",
            "a file that was written to its end",
        )
    return data
