"""What a file format is to the importer: a way to find its file in a folder, and to read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gpudb.errors import CheckpointError
from gpudb.models.formats.weight import Weight

Find = Callable[[Path, frozenset[str]], Path | None]
"""The file or folder to read, from a model folder and the names in it; None if there is none."""


NOT_WEIGHTS = frozenset(
    {
        *("training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt"),
        "rng_state.pth",
    }
)
"""What trainers leave beside the weights."""


@dataclass(frozen=True, slots=True)
class Format:
    """A file format of weights.

    Parameters
    ----------
    name
        What messages and reports call it.
    find
        Where such weights lie in a folder. Raises CheckpointError if several files could be meant.
    read
        All weights of what ``find`` found, with the names and the layout of the file, memory-mapped
        where the file allows it. Raises CheckpointError or UnsupportedError.
    beside
        Names of files in the model folder that belong to such weights, but hold none.
    """

    name: str
    find: Find
    read: Callable[[Path], dict[str, Weight]]
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedWeights:
    """The weights of a model folder.

    Parameters
    ----------
    format
        Name of the format they were read in.
    file
        The file they lie in, as a path within the model folder; for a sharded checkpoint its index,
        for some formats a folder, where ``.`` is the model folder itself.
    weights
        Name -> tensor, in the order of the file.
    others
        Further weight files of the folder, which were not read, as paths within it.
    """

    format: str
    file: str
    weights: Mapping[str, Weight]
    others: tuple[str, ...]


def named(*files: str) -> Find:
    """Find the first of ``files`` that is there."""

    def find(folder: Path, names: frozenset[str]) -> Path | None:
        return next((folder / file for file in files if file in names), None)

    return find


def only(*endings: str) -> Find:
    """Find the file whose name ends so, which must be the only one."""

    def find(folder: Path, names: frozenset[str]) -> Path | None:
        found = sorted(name for name in names - NOT_WEIGHTS if name.endswith(endings))
        if len(found) > 1:
            raise CheckpointError(
                f"{folder}: found {', '.join(found)}; expected one such file. Leave the one that "
                "is meant"
            )
        return folder / found[0] if found else None

    return find
