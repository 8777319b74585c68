"""CUDA text compiled with NVRTC, for any architecture, without a GPU.

The library comes from the wheel nvidia-cuda-nvrtc, the headers from nvidia-cuda-runtime. Nothing is
loaded before the first compilation.
"""

from __future__ import annotations

import ctypes
import importlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
"""Compute capabilities that kernels are compiled for."""

OPTIONS = ("-std=c++17", "-ftz=true", "--device-as-default-execution-space")
"""As in production: the first is ours (``gpudb.backend.cuda.device.OPTIONS``), the others are what
CuPy 14.2 adds (``cupy/cuda/compiler.py``). It also adds include folders, of which we need that of
the CUDA headers only, and compiles to machine code (``-arch=sm_…``).
"""


class CompileError(RuntimeError):
    """What the compiler says."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What ptxas says a function takes."""

    registers: int
    """Of a thread."""
    shared: int
    """Static shared memory of a block, in bytes."""
    spilled: int
    """Bytes of registers kept in local memory: stores and loads."""
    stack: int
    """Local memory of a thread, in bytes."""


def is_installed() -> bool:
    """Whether the wheels are there."""
    return _find("lib", "libnvrtc.so.*") is not None and _find("include", "cuda_fp16.h") is not None


@cache
def ptx(source: str, architecture: int = 80) -> str:
    """PTX for a virtual architecture.

    Raises
    ------
    CompileError
        The text is not CUDA.
    """
    return _compile(source, f"-arch=compute_{architecture}", "PTX")[0].rstrip(b"\0").decode()


@cache
def cubin(source: str, architecture: int) -> bytes:
    """Machine code, as CuPy would load it."""
    return _compile(source, f"-arch=sm_{architecture}", "CUBIN")[0]


@cache
def resources(source: str, architecture: int) -> dict[str, Resources]:
    """What each function of a text takes, by name."""
    report = _compile(source, f"-arch=sm_{architecture}", "CUBIN", "--ptxas-options=-v")[1]
    parts = re.split(r"Compiling entry function '([^']+)'", report)[1:]
    return {name: _resources(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _resources(report: str) -> Resources:
    def number(pattern: str) -> int:
        found = re.search(pattern, report)
        return int(found[1]) if found else 0

    return Resources(
        registers=number(r"Used (\d+) registers"),
        shared=number(r"(\d+) bytes smem"),
        spilled=number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        stack=number(r"(\d+) bytes stack frame"),
    )


def _compile(source: str, architecture: str, what: str, *more: str) -> tuple[bytes, str]:
    """The result and the log."""
    library = _library()
    program = ctypes.c_void_p()
    text = source.encode()
    _check(library.nvrtcCreateProgram(ctypes.byref(program), text, b"kernel.cu", 0, None, None))
    try:
        options = [architecture, *OPTIONS, f"-I{headers()}", *more]
        array = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        code = library.nvrtcCompileProgram(program, len(options), array)
        log = _bytes(program, "ProgramLog").rstrip(b"\0").decode()
        if code:
            raise CompileError(log)
        return _bytes(program, what), log
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _bytes(program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(getattr(_library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(getattr(_library(), f"nvrtcGet{what}")(program, buffer))
    return buffer.raw


def _check(code: int) -> None:
    if code:
        text = _library().nvrtcGetErrorString
        text.restype = ctypes.c_char_p
        raise CompileError(f"NVRTC: {text(code).decode()}")


@cache
def _library() -> ctypes.CDLL:
    path = _find("lib", "libnvrtc.so.*")
    if path is None:
        raise ModuleNotFoundError("NVRTC is missing: pip install nvidia-cuda-nvrtc")
    return ctypes.CDLL(str(path))


@cache
def headers() -> Path:
    """The folder of CUDA's headers."""
    path = _find("include", "cuda_fp16.h")
    if path is None:
        raise ModuleNotFoundError("CUDA's headers are missing: pip install nvidia-cuda-runtime")
    return path.parent


@cache
def _find(folder: str, pattern: str) -> Path | None:
    """A file of NVIDIA's wheels, which share the namespace package ``nvidia``."""
    try:
        nvidia = importlib.import_module("nvidia")
    except ModuleNotFoundError:
        return None
    for root in nvidia.__path__:
        found = sorted(Path(root).glob(f"*/{folder}/{pattern}"))
        if found:
            return found[0]
    return None
