"""``cupy.RawModule``: NVRTC compiles, launches are checked against the PTX, an engine runs them."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cupy._core.core
import cupy.cuda.compiler
import numpy as np

from tests.cuda.standin import memory, order, real, streams
from tests.cuda.standin.array import ndarray, span
from tests.cuda.standin.checked import like
from tests.cuda.standin.engine import current
from tests.cuda.standin.errors import LaunchError
from tests.cuda.standin.memory import Span

ARCHITECTURE = "80"
SHARED_NBYTES = 48 << 10
"""Of a block, static and dynamic, unless more is asked for."""
MOST_SHARED_NBYTES = 163 << 10
"""Of a block, where it is asked for (compute capability 8.0)."""
MOST_THREADS = 1024
MOST_BLOCKS = (2**31 - 1, 65535, 65535)
MOST_BLOCK = (1024, 1024, 64)

SCALARS = {
    "u8": "?bB",
    "s8": "?bB",
    "u16": "hHe",
    "s16": "hH",
    "b16": "hHe",
    "u32": "iI",
    "s32": "iI",
    "b32": "iI",
    "f32": "f",
    "u64": "lLqQ",
    "s64": "lLqQ",
    "b64": "lLqQ",
    "f64": "d",
}
"""Type of a parameter in PTX -> NumPy's characters for numbers that fit (as Linux has them)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the PTX says of a kernel."""

    parameters: tuple[str, ...]
    """Types, without the dot."""
    static_shared: int
    """Bytes."""


@cache
def compiled(code: str, options: tuple[str, ...]) -> str:
    """PTX, with the options that CuPy adds: it has no GPU to ask for the architecture."""
    compiler = cupy.cuda.compiler
    ask = compiler._get_arch_for_options_for_nvrtc
    compiler._get_arch_for_options_for_nvrtc = lambda arch=None: (f"-arch=compute_{arch}", "ptx")
    try:
        with real.visible():
            everything = (*cupy._core.core.assemble_cupy_compiler_options(options), "-ftz=true")
            ptx, _ = compiler.compile_using_nvrtc(code, everything, arch=ARCHITECTURE)
    finally:
        compiler._get_arch_for_options_for_nvrtc = ask
    return bytes(ptx).rstrip(b"\0").decode()


@cache
def entry(ptx: str, name: str) -> Entry | None:
    """Read a kernel's parameters; None where the module has no such kernel."""
    found = re.search(rf"\.entry\s+{re.escape(name)}\s*\(([^)]*)\)", ptx)
    if not found:
        return None
    types = re.findall(r"\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)", found[1])
    static = re.findall(r"^\s*\.shared[^;\[]*\[(\d+)\];", ptx, re.MULTILINE)
    return Entry(tuple(types), sum(map(int, static)))


@like("cupy.RawModule")
class RawModule:
    def __init__(
        self,
        code: str | None = None,
        *,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        name_expressions: Sequence[str] | None = None,
        jitify: Any = None,
    ) -> None:
        if code is None or name_expressions or enable_cooperative_groups or backend != "nvrtc":
            raise NotImplementedError("only code and options of RawModule are in the stand-in")
        if not isinstance(options, tuple):
            raise TypeError(f"options must be a tuple, got {type(options).__name__}")
        self._code, self._options = code, options

    def compile(self, log_stream: Any = None) -> None:
        compiled(self._code, self._options)

    def get_function(self, name: str) -> RawKernel:
        ptx = compiled(self._code, self._options)
        known = entry(ptx, name)
        if known is None:
            raise real.driver_error(f"CUDA_ERROR_NOT_FOUND: {name}")
        return RawKernel(ptx, name, known)


@like("cupy.RawKernel")
class RawKernel:
    """A kernel of a module; called as CuPy's is. A wrong name cannot be assigned to."""

    __slots__ = ("_entry", "_most_dynamic", "_name", "_ptx")

    def __init__(self, ptx: str, name: str, known: Entry) -> None:
        self._name = name
        self._ptx, self._entry = ptx, known
        self._most_dynamic = SHARED_NBYTES - known.static_shared

    @property
    def name(self) -> str:
        return self._name

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._most_dynamic

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, nbytes: int) -> None:
        if nbytes + self._entry.static_shared > MOST_SHARED_NBYTES:
            raise real.driver_error(f"CUDA_ERROR_INVALID_VALUE: {nbytes} bytes of shared memory")
        self._most_dynamic = nbytes

    @property
    def shared_size_bytes(self) -> int:
        return self._entry.static_shared

    @property
    def attributes(self) -> dict[str, int]:
        return {
            "max_dynamic_shared_size_bytes": self._most_dynamic,
            "shared_size_bytes": self._entry.static_shared,
            "max_threads_per_block": MOST_THREADS,
        }

    def __call__(
        self,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        args: Sequence[Any],
        *,
        shared_mem: int = 0,
        stream: Any = None,
    ) -> None:
        blocks, threads = self._three("grid", grid), self._three("block", block)
        self._check_shape(blocks, threads, shared_mem)
        places = self._arguments(args)

        def work() -> None:
            values = [_bytes(p) if isinstance(p, Span) else p for p in places]
            done = current().run(self._ptx, self.name, blocks, threads, values, shared_mem)
            _touch([p for p in places if isinstance(p, Span)], done)

        for place in places:
            if isinstance(place, Span):
                _bytes(place)  # fails here, not when a graph is launched
        streams.submit(work, stream)

    def _three(self, what: str, size: Any) -> tuple[int, int, int]:
        if not isinstance(size, tuple) or not 1 <= len(size) <= 3:
            raise TypeError(f"{what} must be a tuple of 1 to 3 numbers, got {size!r}")
        x, y, z = (int(n) for n in (*size, 1, 1)[:3])
        return x, y, z

    def _check_shape(self, grid: Sequence[int], block: Sequence[int], shared: int) -> None:
        sizes = (*zip(grid, MOST_BLOCKS, strict=True), *zip(block, MOST_BLOCK, strict=True))
        if any(not 1 <= n <= most for n, most in sizes):  # CuPy makes one block of none
            raise self._invalid(f"grid {grid}, block {block}")
        if math.prod(block) > MOST_THREADS:
            raise self._invalid(f"{block} is more than {MOST_THREADS} threads")
        if shared > self._most_dynamic:
            raise self._invalid(
                f"{shared} bytes of dynamic shared memory, {self._most_dynamic} are allowed; "
                "set max_dynamic_shared_size_bytes"
            )

    def _invalid(self, why: str) -> Exception:
        return real.driver_error(f"CUDA_ERROR_INVALID_VALUE: {self.name}: {why}")

    def _arguments(self, args: Sequence[Any]) -> list[Any]:
        wanted = self._entry.parameters
        if len(args) != len(wanted):
            raise LaunchError(f"{self.name} takes {len(wanted)} arguments, got {len(args)}")
        return [self._argument(i, t, a) for i, (t, a) in enumerate(zip(wanted, args, strict=True))]

    def _argument(self, place: int, ptx_type: str, value: Any) -> Any:
        where = f"{self.name}: argument {place} is .{ptx_type}"
        if isinstance(value, ndarray):
            if ptx_type not in ("u64", "b64"):
                raise LaunchError(f"{where}, got an array")
            return span(value)
        scalar = as_cupy_passes(value)
        if scalar.dtype.char not in SCALARS.get(ptx_type, ""):
            raise LaunchError(f"{where}, CuPy would pass {scalar.dtype} for {value!r}")
        return scalar


def as_cupy_passes(value: Any) -> Any:
    """CuPy's rule: a Python int is 64 bits, a float a double, NumPy's numbers are as they are."""
    if isinstance(value, np.generic):
        return value
    for kind, scalar in ((bool, np.bool_), (int, np.int64), (float, np.float64)):
        if isinstance(value, kind):
            return scalar(value)
    raise TypeError(f"Unsupported type {type(value)}")


def _touch(places: Sequence[Span], done: Any) -> None:
    """Say what a launch read and wrote, where the engine counts it; else both, of all arrays."""
    for i, place in enumerate(places):
        moved = done.arrays[i] if done is not None else None
        if moved is None or moved.read_nbytes:
            order.reads(place)
        if moved is None or moved.written_nbytes:
            order.writes(place)


def _bytes(place: Span) -> Any:
    """From the first element to the last: what a kernel may touch of an array, or of a view.

    By address, so that the array is nobody's view: an engine that follows ``base`` would give the
    kernel the whole allocation.
    """
    if 0 in place.shape:
        return np.empty(0, np.uint8)
    low, high = place.bounds
    if low != place.address:
        raise NotImplementedError("arrays with negative strides as arguments")
    memory.device.find(low, high - low)
    return np.frombuffer((ctypes.c_uint8 * (high - low)).from_address(low), np.uint8)
