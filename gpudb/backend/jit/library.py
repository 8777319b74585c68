"""Compiled code as functions: made by numba once, kept on disk, linked without numba after that."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from ctypes import CFUNCTYPE, addressof, c_int32, c_int64
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from llvmlite import binding

from gpudb.backend.jit.target import PROCESSOR, TARGET, target_machine
from gpudb.config import cache_folder
from gpudb.kernels import elementwise

DIGEST = hashlib.sha256().digest_size
"""Bytes that a file begins with: the digest of what follows, which may have been cut off."""


@dataclass(frozen=True, slots=True)
class Library:
    """Functions of addresses and numbers, all int64; see :mod:`gpudb.backend.jit.compiled.entry`.

    They run without the GIL.
    """

    run_jobs: Callable[[int, int, int, int, int], object]
    help_team: Callable[[int], object]
    kept: Any
    """What has to live as long."""


def library() -> Library:
    """The code of this process, compiled now where it is not on disk."""
    with _lock:  # of two threads, one waits for what the other compiles
        return _library()


_lock = Lock()


@cache
def _library() -> Library:
    path = code_file()
    code = None if path is None else _read(path)
    if code is None:
        # Not at the top: numba takes longer to load than all else.
        from gpudb.backend.jit.compiled.build import object_code

        code = object_code()
        if path is not None:
            _write(path, code)
    return _link(code)


def _link(code: bytes) -> Library:
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target_machine(PROCESSOR))
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()

    unread = (c_int64 * 2)()

    def function(name: str, parameters: int) -> Callable[..., object]:
        kind = CFUNCTYPE(c_int32, *[c_int64] * (2 + parameters))
        # numba's functions write a result and an error first; ours have neither.
        places = addressof(unread), addressof(unread) + 8
        return partial(kind(engine.get_function_address(name)), *places)

    return Library(function("run_jobs", 5), function("help_team", 1), (engine, unread))


def code_folder() -> Path | None:
    """The folder where code is kept, in the user's cache.

    None where it cannot be written, or others can write to it: what lies there is run.
    """
    folder = cache_folder() / "code"
    with suppress(OSError):
        folder.mkdir(0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK) and _is_ours_alone(folder):
            return folder
    return None


def _is_ours_alone(folder: Path) -> bool:
    if not hasattr(os, "getuid"):
        return True
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def code_file() -> Path | None:
    """Where the code of these sources for this processor is kept; None: nowhere."""
    folder = code_folder()
    return None if folder is None else folder / f"jit-{_digest()[:32]}.o"


def _digest() -> str:
    """Of all that the code depends on."""
    digest = hashlib.sha256(repr((version("numba"), PROCESSOR, TARGET)).encode())
    for path in (*sorted(Path(__file__).parent.rglob("*.py")), Path(elementwise.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    code = content[DIGEST:]
    return code if hashlib.sha256(code).digest() == content[:DIGEST] else None


def _write(path: Path, code: bytes) -> None:
    # The disk may be full: the code is there all the same.
    with suppress(OSError), TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / path.name
        whole.write_bytes(hashlib.sha256(code).digest() + code)
        whole.replace(path)
