"""What goes wrong while PTX is read or run."""

from __future__ import annotations


class PtxError(RuntimeError):
    """PTX that cannot be read, or a fault of the kernel: names kernel, block, thread, instruction."""


class Fault(Exception):
    """Some lanes of a step do what they must not; the machine adds where and turns it into PtxError.

    Parameters
    ----------
    message
        What they do.
    at
        Place of the first such lane among those that run.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at
