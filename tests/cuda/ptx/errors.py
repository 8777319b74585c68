"""What goes wrong while PTX is read or run."""

from __future__ import annotations


class PtxError(RuntimeError):
    """PTX that cannot be read, or a fault of a kernel: says where and at which instruction."""


class Fault(Exception):
    """Some threads do in a step what they must not; the machine adds where: :class:`PtxError`.

    Parameters
    ----------
    message
        What they do.
    at
        Place of the first such thread among those that run.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at
