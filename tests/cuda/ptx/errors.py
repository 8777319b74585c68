"""What goes wrong while PTX is read or run."""

from __future__ import annotations


class PtxError(RuntimeError):
    """PTX that cannot be read or run, or a fault of a kernel."""


class PtxFault(PtxError):
    """A fault of a kernel: says where and at which instruction."""


class Fault(Exception):
    """Some threads do in a step what they must not; the machine adds where: :class:`PtxFault`.

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
