"""Who runs the PTX of a launch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol


class Engine(Protocol):
    """Runs kernels over host memory."""

    def run(
        self,
        ptx: str,
        name: str,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        args: Sequence[Any],
        shared: int,
    ) -> Any:
        """Run to the end.

        ``args`` are NumPy arrays of bytes where the kernel takes pointers, and NumPy scalars. The
        result is None, or has ``arrays`` with ``read_nbytes`` and ``written_nbytes`` of each.
        """


class Emulator:
    """The PTX emulator of these tests."""

    def __init__(self, check: bool = True) -> None:
        self.check = check
        self.launched: list[tuple[str, Any]] = []
        """Name of the kernel, and the bytes it moved."""

    def run(
        self,
        ptx: str,
        name: str,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        args: Sequence[Any],
        shared: int,
    ) -> Any:
        from tests.cuda import ptx as emulator

        kernel = _parsed(ptx)[name]
        done = emulator.run(kernel, grid, block, list(args), shared=shared, check=self.check)
        self.launched.append((name, done))
        return done


@cache
def _parsed(ptx: str) -> Any:
    from tests.cuda import ptx as emulator

    return emulator.parse(ptx)


def current() -> Engine:
    """The engine that :func:`tests.cuda.standin.install.standin` was given."""
    return _engines[-1]


def use(engine: Engine) -> None:
    """Let this engine run kernels from now on."""
    _engines[:] = [engine]


_engines: list[Engine] = [Emulator()]
