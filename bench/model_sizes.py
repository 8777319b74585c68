"""How large an encoder is: its files, its process, and its fine-tunes in one database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from encoder_model import LAYERS
from safetensors.numpy import load_file, save_file

import gpudb

FINE_TUNES = (1, 2, 10)
LAST_BLOCK, EVERYTHING = f"layers.{LAYERS - 1}.", "layers."


@dataclass(frozen=True)
class FineTunes:
    """Bytes of a model and its fine-tunes."""

    count: int
    """How many there are beside the model they come from."""
    changed: str
    """What each fine-tune has of its own: names of weights begin like this."""
    files_nbytes: int
    """As one checkpoint each."""
    database_nbytes: int
    """In one database."""


def fine_tunes(model: Path, parent: Path) -> Iterator[FineTunes]:
    """Fine-tune an encoder by noise, and import all of them into one database."""
    for changed in (LAST_BLOCK, EVERYTHING):
        with (
            tempfile.TemporaryDirectory(dir=parent) as folder,
            gpudb.connect(Path(folder) / "db", device="numpy") as db,
        ):
            db.import_model(model, "base")
            for number in range(1, max(FINE_TUNES) + 1):
                tuned = _tuned(model, Path(folder) / f"tuned-{number}", changed, number)
                db.import_model(tuned, f"tuned_{number}")
                if number in FINE_TUNES:
                    files = (number + 1) * (model / "model.safetensors").stat().st_size
                    yield FineTunes(number, changed, files, nbytes(Path(folder) / "db"))


def nbytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _tuned(model: Path, folder: Path, changed: str, seed: int) -> Path:
    random = np.random.default_rng(seed)
    weights: Mapping[str, np.ndarray] = load_file(model / "model.safetensors")
    folder.mkdir()
    (folder / "config.json").write_bytes((model / "config.json").read_bytes())
    tuned = {
        name: array + random.normal(0, 1e-3, array.shape).astype(np.float32)
        if name.startswith(changed)
        else array
        for name, array in weights.items()
    }
    save_file(tuned, folder / "model.safetensors")
    return folder


def fine_tunes_text(width: int, found: Sequence[FineTunes]) -> str:
    """A table."""
    lines = [f"\nwidth {width}: MB of a model and its fine-tunes, as files and in one database"]
    for f in found:
        what = "last block" if f.changed == LAST_BLOCK else "everything"
        lines.append(
            f"{f.count:>3} fine-tunes of {what:<11} files {f.files_nbytes / 1e6:>8.1f}   "
            f"database {f.database_nbytes / 1e6:>8.1f}   "
            f"files over database {f.files_nbytes / f.database_nbytes:.2f}"
        )
    return "\n".join(lines)
