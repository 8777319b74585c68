"""Compile functions for this processor, once: machine code is kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar, cast

import numba
from numba import types
from numba.core.caching import FunctionCache, NullCache

from gpudb.kernels import elementwise

F = TypeVar("F", bound=Callable[..., Any])


def matrix(kind: Any) -> Any:
    """Type of a parameter ``(n, m)`` that is read: any step from row to row."""
    return types.Array(kind, 2, "A", readonly=True)


def array(kind: Any, ndim: int = 1) -> Any:
    """Type of a parameter that is read: contiguous, any number of axes."""
    return types.Array(kind, ndim, "C", readonly=True)


def written(kind: Any, ndim: int = 2) -> Any:
    """Type of a parameter that is written: contiguous."""
    return types.Array(kind, ndim, "C")


def compiled(*parameters: Any) -> Callable[[F], F]:
    """A function of arrays and numbers for the backend to call; it runs without the GIL.

    It is compiled where it is defined, or read from disk, so that importing its module is all the
    waiting there is. Arithmetic is as written, nothing is reordered: results do not depend on who
    calls.

    Parameters
    ----------
    parameters
        numba's types of the parameters; nothing is returned.
    """

    def decorate(function: F) -> F:
        dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
        # What cache=True does, with a key of ours.
        dispatcher._cache = _cache(function)
        dispatcher.compile(types.void(*parameters))
        dispatcher.disable_compile()
        return cast(F, dispatcher)

    return decorate


def part(function: F) -> F:
    """A function for compiled ones to call; it becomes part of them."""
    return cast(F, numba.njit(error_model="numpy")(function))


class _SourceCache(FunctionCache):  # type: ignore[misc]
    """Machine code by signature, processor and the text of this whole package.

    numba's own key looks at the file of a function only, not at what it calls.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (EOFError, UnpicklingError):
            # A file was cut off, when the machine went down or the disk was full.
            self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        # The folder may be full, or gone: the code is there all the same.
        with suppress(OSError):
            super().save_overload(sig, data)

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (sig, codegen.magic_tuple(), _SOURCES)


def _cache(function: Callable[..., Any]) -> Any:
    """Where the machine code of a function is kept; nowhere if no folder can be written."""
    try:
        return _SourceCache(function)
    except RuntimeError:
        return NullCache()


def code_folder() -> str | None:
    """The folder where machine code is kept, those of kernels beside it; None: nowhere."""
    path = _cache(code_folder).cache_path
    return None if path is None else str(path)


def _digest() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for path in (*sorted(Path(__file__).parent.rglob("*.py")), Path(elementwise.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_SOURCES = _digest()
