"""gpudb: ``Database.infer`` over rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rows import Rows

from peers.peer import Prepare, Run

MODEL = "model"


@dataclass(frozen=True)
class GpudbInfer:
    """Rows of numbers through an encoder."""

    device: str = "jit"
    precision: str = "float32"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"gpudb {self.device} {self.precision}"

    @property
    def packages(self) -> tuple[str, ...]:
        """Beside gpudb's own."""
        return ("numba",) if self.device == "jit" else ("numpy",)

    @property
    def files(self) -> str:
        """A database of its own: two processes would wait for each other."""
        return self.name.replace(" ", "-")

    def convert(self, model: Path, folder: Path) -> None:
        """Import the model."""
        import gpudb

        with gpudb.connect(folder, device="numpy") as db:
            db.import_model(model, MODEL)

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Open the database."""
        import gpudb

        db = gpudb.connect(folder, device=self.device, precision=self.precision, threads=threads)

        def prepare(given: Rows) -> Run:
            rows = {"rows": given.packed}
            offsets = np.concatenate(([0], np.cumsum(given.lengths)))
            return lambda: db.infer(MODEL, rows, offsets)[0]

        return prepare
