"""What a runtime must offer to be compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

Run = Callable[[], Any]
"""Computes the answer once; this is what is timed. An array, where the answer is checked."""
Prepare = Callable[[Any], Run]
"""Takes the inputs: texts, or an array. Not timed."""


class Peer(Protocol):
    """One runtime at one setting. Making one imports nothing: only its methods do."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def precision(self) -> str:
        """``float32``, ``bfloat16`` or ``int8``: what it is compared within."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions it needs, and whose versions are reported."""

    @property
    def files(self) -> str:
        """Name of its folder; peers of the same name share what :meth:`convert` writes."""

    def convert(self, model: Path, folder: Path) -> None:
        """Write the model in the runtime's own form; in a process of its own, not timed."""

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Read what was converted."""
