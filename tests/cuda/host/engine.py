"""Runs one launch on the host, with everything checked."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.kernels.launch import MAX_SHARED_NBYTES, Cuda
from gpudb.kernels.signature import SCALARS, parameters
from tests.cuda.host import build

SCHEDULES = ("ascending", "descending", "random")
"""Orders of blocks and threads."""

MAX_ACCESSES = 1 << 27
"""Of one launch: beyond, a loop does not end."""


class KernelFault(RuntimeError):
    """A fault of a kernel.

    Parameters
    ----------
    kind
        ``race``, ``bounds``, ``alignment``, ``unwritten``, ``overflow``, ``barrier``, ``lanes``,
        ``deadlock`` or ``endless``.
    line
        The text that was running.
    """

    def __init__(
        self, kernel: str, kind: str, block: int, thread: int, text: str, line: str
    ) -> None:
        super().__init__(f"{kernel}: block {block}, thread {thread}: {kind}: {text}, in `{line}`")
        self.kernel, self.kind, self.block, self.thread = kernel, kind, block, thread
        self.line = line


@dataclass(frozen=True, slots=True)
class Memory:
    """An array whose elements count as unwritten until a kernel writes them.

    Parameters
    ----------
    array
        A view is all right: the kernel may touch the whole memory of its owner.
    written
        The same view of an array like the owner, whose bytes are 1 where somebody has written.
    """

    array: Any
    written: Any


def run(
    function: Cuda,
    blocks: int,
    threads: int,
    args: Sequence[Any],
    shared: int = 0,
    schedule: str = "ascending",
    seed: int = 0,
    checked: bool = True,
) -> None:
    """Run ``function`` on ``blocks`` × ``threads`` threads.

    Parameters
    ----------
    args
        NumPy arrays, :class:`Memory`, and numbers, which are cast to the parameters' types.
    shared
        Dynamic shared memory, in bytes.
    checked
        False: barriers and lanes are checked, single accesses and arithmetic are not.

    Raises
    ------
    KernelFault
        The first fault; the launch ends there.
    """
    file = build.library(function, checked)
    values = [
        _value(p.ctype, p.is_pointer, a) for p, a in zip(parameters(function), args, strict=True)
    ]
    regions, keep = _regions(function, args)
    launch = _Launch(
        entry=ctypes.cast(_loaded(file).host_entry, ctypes.c_void_p),
        args=(ctypes.c_void_p * len(values))(*map(ctypes.addressof, values)),
        blocks=blocks,
        threads=threads,
        shared_nbytes=shared,
        max_shared_nbytes=MAX_SHARED_NBYTES,
        order=SCHEDULES.index(schedule),
        seed=seed,
        max_accesses=MAX_ACCESSES,
        regions=(_Region * len(regions))(*regions),
        count=len(regions),
    )
    fault = _Fault()
    done = _runtime().host_launch(ctypes.byref(launch), ctypes.byref(fault))
    del keep
    if not done:
        line = _line(file, fault.at - _base(file))
        kind, text = fault.kind.decode(), fault.text.decode()
        raise KernelFault(function.function, kind, fault.block, fault.thread, text, line)


class _Region(ctypes.Structure):
    _fields_ = (
        ("begin", ctypes.c_uint64),
        ("end", ctypes.c_uint64),
        ("written", ctypes.c_void_p),
        ("grain", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
    )


class _Launch(ctypes.Structure):
    _fields_ = (
        ("entry", ctypes.c_void_p),
        ("args", ctypes.POINTER(ctypes.c_void_p)),
        ("blocks", ctypes.c_uint64),
        ("threads", ctypes.c_uint64),
        ("shared_nbytes", ctypes.c_uint64),
        ("max_shared_nbytes", ctypes.c_uint64),
        ("order", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("max_accesses", ctypes.c_uint64),
        ("regions", ctypes.POINTER(_Region)),
        ("count", ctypes.c_uint64),
    )


class _Fault(ctypes.Structure):
    _fields_ = (
        ("block", ctypes.c_uint64),
        ("thread", ctypes.c_uint64),
        ("at", ctypes.c_uint64),
        ("kind", ctypes.c_char * 24),
        ("text", ctypes.c_char * 232),
    )


def _value(ctype: str, is_pointer: bool, value: Any) -> Any:
    """What the parameter is read from."""
    if is_pointer:
        return ctypes.c_void_p(_array(value).ctypes.data)
    return np.ctypeslib.as_ctypes_type(SCALARS[ctype])(value)


def _array(value: Any) -> Any:
    return value.array if isinstance(value, Memory) else value


def _owner(array: Any) -> Any:
    """The array that a view looks into."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _regions(function: Cuda, args: Sequence[Any]) -> tuple[list[_Region], list[Any]]:
    """Every memory that is passed, once; and what must live as long."""
    regions: dict[int, _Region] = {}
    keep: list[Any] = []
    for parameter, value in zip(parameters(function), args, strict=True):
        if not parameter.is_pointer:
            continue
        owner = _owner(_array(value))
        written = (
            _owner(value.written) if isinstance(value, Memory) else np.ones(owner.nbytes, np.uint8)
        )
        keep.append(written)
        begin = owner.ctypes.data
        name = f"the memory of {parameter.name}".encode()
        region = _Region(begin, begin + owner.nbytes, written.ctypes.data, owner.itemsize, name)
        regions.setdefault(begin, region)
    return list(regions.values()), keep


@cache
def _runtime() -> Any:
    """Visible to all: kernels find their functions in it."""
    library = ctypes.CDLL(str(build.runtime()), mode=ctypes.RTLD_GLOBAL)
    library.host_launch.restype = ctypes.c_bool
    return library


@cache
def _loaded(file: Path) -> Any:
    _runtime()
    return ctypes.CDLL(str(file))


def _base(file: Path) -> int:
    """Address at which a library was loaded."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[-1] == str(file.resolve()):
            return int(fields[0].split("-")[0], 16)
    return 0


def _line(file: Path, offset: int) -> str:
    """The line of the kernel's text that an address of its machine code came from."""
    source = file.with_suffix(".cpp")
    # An address to return to lies behind its call.
    command = ("addr2line", "-i", "-e", str(file), hex(offset - 1))
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    for place in found.splitlines():
        name, _, number = place.partition(" ")[0].rpartition(":")
        if Path(name).name == source.name and number.isdigit():
            return source.read_text(encoding="utf-8").splitlines()[int(number) - 1].strip()
    return "?"
