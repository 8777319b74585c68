"""Compiles kernels for the host, each text once.

Everything lies in one folder, named by what it was made from: the runtime, the precompiled header
and one library for each function. The folder is :data:`FOLDER`; tests keep theirs between runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gpudb.kernels.launch import Cuda

CPP = Path(__file__).parent / "cpp"
COMPILER = os.environ.get("CXX", "g++")

CHECKS = (
    "thread",
    "alignment",
    "signed-integer-overflow",
    "shift-exponent",
    "integer-divide-by-zero",
    "bounds",
    "float-cast-overflow",
)
"""What -fsanitize puts into a kernel."""

RUNTIME_OPTIONS = ("-std=c++17", "-O2", "-fPIC", "-shared")
OPTIONS = (
    "-std=c++17",
    "-fPIC",
    "-O1",
    "-g1",  # lines of the text, for reports
    "-fno-threadsafe-statics",
    "-fno-optimize-sibling-calls",  # where a function was called from says which call it was
    "-ftrivial-auto-var-init=pattern",  # local variables without a value: always the same nonsense
    "-Wno-unknown-pragmas",  # unroll
    "--param=tsan-instrument-func-entry-exit=0",
)


class CompileError(RuntimeError):
    """The compiler does not take a text."""


def library(function: Cuda, checked: bool = True) -> Path:
    """The shared library of one function; its entry is ``host_entry``."""
    text = _text(function)
    name = hashlib.sha256(text.encode()).hexdigest()[:20]
    made = _prepared(checked) / f"{name}.so"
    if not made.exists():
        source = made.with_suffix(".cpp")
        # Whole at once: another process may be compiling the same text.
        part = source.with_name(f"{source.name}.{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(source)
        # Without default libraries, that of -fsanitize is left out; the runtime stands in for it.
        options = (*_options(checked), "-shared", "-nodefaultlibs")
        header = ("-include", str(made.parent / "host_cuda.h"))
        _compile((*options, *header, str(source)), made)
    return made


def assembly(function: Cuda) -> str:
    """What the compiler makes of a function without checks: equal for texts that mean the same."""
    header = ("-include", str(CPP / "host_cuda.h"))
    command = (COMPILER, *OPTIONS, "-g0", "-O2", *header, "-x", "c++", "-S", "-o", "-", "-")
    done = subprocess.run(command, input=_text(function), capture_output=True, text=True)
    if done.returncode:
        raise CompileError(done.stderr)
    return done.stdout


def prepare() -> None:
    """Make what all functions need: the runtime and the compiled header."""
    runtime()
    _prepared(True)


def runtime() -> Path:
    """The library of the scheduler and the checks."""
    made = _folder() / "runtime.so"
    if not made.exists():
        _compile((*RUNTIME_OPTIONS, *map(str, sorted(CPP.glob("*.cpp")))), made)
    return made


def _text(function: Cuda) -> str:
    return f"{function.source}\nHOST_ENTRY({function.function})\n"


FOLDER: Path | None = None
"""Where compiled code is kept; None: in a temporary folder that goes with the process."""


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cuda-host-")


@cache
def _folder() -> Path:
    base = FOLDER or Path(_temporary().name)
    digest = hashlib.sha256(repr((RUNTIME_OPTIONS, OPTIONS, CHECKS, _version())).encode())
    for file in sorted(CPP.iterdir()):
        digest.update(file.read_bytes())
    folder = base / digest.hexdigest()[:20]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def _prepared(checked: bool) -> Path:
    """The folder of libraries, with the header that they include compiled: half of the time."""
    folder = _folder() / ("checked" if checked else "plain")
    folder.mkdir(exist_ok=True)
    for header in CPP.glob("*.h"):
        shutil.copy(header, folder)
    compiled = folder / "host_cuda.h.gch"
    if not compiled.exists():
        _compile((*_options(checked), "-x", "c++-header", "-w", str(CPP / "host_cuda.h")), compiled)
    return folder


def _options(checked: bool) -> tuple[str, ...]:
    return (*OPTIONS, f"-fsanitize={','.join(CHECKS)}") if checked else OPTIONS


@cache
def _version() -> str:
    if shutil.which(COMPILER) is None:
        raise CompileError(f"{COMPILER} is not installed: kernels cannot be compiled for the host")
    command = (COMPILER, "-dumpfullversion")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _compile(arguments: Sequence[str], made: Path) -> None:
    """Into a file of its own first: others may be making the same."""
    part = made.with_name(f"{made.name}.{os.getpid()}")
    command = (COMPILER, *arguments, "-o", str(part))
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CompileError(done.stderr)
    part.replace(made)
