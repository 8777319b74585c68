"""What gpudb must know of a file format, and what it found in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpudb.models.formats.weight import Weight


@dataclass(frozen=True, slots=True)
class Format:
    """A way to keep weights in files. To add one: one file that makes one of these."""

    name: str
    """What reports call it."""
    find: Callable[[Path, frozenset[str]], Path | None]
    """Folder, names in it -> the file or folder to read, or None where there is none."""
    read: Callable[[Path], dict[str, Weight]]
    """That -> name in the checkpoint -> weight, as it lies there."""


@dataclass(frozen=True, slots=True)
class OpenedWeights:
    """The weights of a model folder.

    Parameters
    ----------
    format
        Name of their format.
    path
        What was read.
    weights
        Name in the checkpoint -> weight, memory-mapped where the format allows.
    others
        Weights in other formats, which were not read, by their paths in the folder.
    """

    format: str
    path: Path
    weights: Mapping[str, Weight]
    others: tuple[str, ...]


def named(*files: str) -> Callable[[Path, frozenset[str]], Path | None]:
    """Find the first of ``files`` that there is."""

    def find(folder: Path, names: frozenset[str]) -> Path | None:
        return next((folder / file for file in files if file in names), None)

    return find
