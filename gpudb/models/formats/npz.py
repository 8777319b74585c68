"""NumPy's ``.npz``: a zip file of ``.npy`` arrays. Pickled objects in it are never loaded."""

from __future__ import annotations

import io
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import UnsupportedError
from gpudb.models.formats.archive import inflated, members
from gpudb.models.formats.checked import broken, check_shape, map_file, short
from gpudb.models.formats.format import Format, only
from gpudb.models.formats.weight import FILE_DTYPES, Weight, held
from gpudb.types import HostArray

MOST_HEADER_BYTES = 20_000
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_NAMES = {dtype: name for name, dtype in FILE_DTYPES.items() if name not in ("bool", "bfloat16")}
_NAMES[np.dtype(np.bool_)] = "bool"


def read_npz(file: Path) -> dict[str, Weight]:
    """The arrays of an ``.npz`` file by name.

    ``numpy.savez`` stores arrays as they are, and they are mapped; those of
    ``numpy.savez_compressed``, and arrays in Fortran's or big-endian order, are read into memory.

    Raises
    ------
    CheckpointError
        The file is cut short or damaged.
    UnsupportedError
        An array is of Python objects, texts, records or numbers that gpudb does not know.
    """
    content = map_file(file, least=22)
    weights = {}
    for member, info in members(file).items():
        if not member.endswith(".npy"):
            raise UnsupportedError(f"{file}: found {short(member)}; expected arrays (.npy) only")
        name = member.removesuffix(".npy")
        weights[name] = _array(file, name, inflated(file, content, info))
    return weights


def _array(file: Path, name: str, data: HostArray) -> Weight:
    where = f"array {short(name)}"
    shape, in_fortran_order, dtype, start = _header(file, where, data)
    shape = check_shape(file, where, shape, max(dtype.itemsize, 1))
    native = dtype.newbyteorder("<")
    if native not in _NAMES:
        raise UnsupportedError(
            f"{file}: {where} is of {dtype}; expected one of {', '.join(_NAMES.values())}. "
            "bfloat16 has no type in this format: save it as float32, or as safetensors"
        )
    elements = data[start:]
    if elements.size != prod(shape) * dtype.itemsize:
        raise broken(
            file,
            f"{where} with {elements.size:,} bytes",
            f"{prod(shape) * dtype.itemsize:,} for shape {shape} of {dtype}",
        )
    if native == dtype and not (in_fortran_order and len(shape) > 1):
        return Weight(name, _NAMES[native], shape, file, elements)
    values = elements.view(dtype).reshape(shape, order="F" if in_fortran_order else "C")
    return held(name, _NAMES[native], values, file)


def _header(file: Path, where: str, data: HostArray) -> tuple[Any, bool, np.dtype[Any], int]:
    """Shape, whether in Fortran's order, dtype, and where the elements begin."""
    stream = io.BytesIO(data[:MOST_HEADER_BYTES].tobytes())
    try:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"version {version} of its header")
        shape, in_fortran_order, dtype = _HEADERS[version](stream)
    except (ValueError, EOFError) as error:
        raise broken(file, f"{where} with a damaged header ({error})", "numpy.save's") from error
    return shape, in_fortran_order, dtype, stream.tell()


NPZ = Format("NumPy npz", only(".npz"), read_npz)
