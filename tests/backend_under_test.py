"""The backend that checks of plans run on: NumPy, unless ``pytest --backend`` names another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gpudb.backend import Backend, NumpyBackend, open_backend

NAMES = ("numpy", "jit", "emulated", "cuda")
"""``emulated`` is the CUDA backend over stand-ins for CuPy, RMM and pylibcudf."""

_current: list[Backend] = [NumpyBackend()]


def backend() -> Backend:
    """The one that is open."""
    return _current[-1]


@contextmanager
def opened(name: str) -> Iterator[Backend]:
    """While it lasts, :func:`backend` is this one."""
    if name == "emulated":
        from tests.cuda.backends import emulated

        with emulated() as found, _using(found):
            yield found
    else:
        with _using(open_backend(name)) as found:
            yield found


@contextmanager
def _using(found: Backend) -> Iterator[Backend]:
    _current.append(found)
    try:
        yield found
    finally:
        _current.pop()
