"""gpudb: ``SELECT embed(…)`` over a stored table, or one of the doors below it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from peers.peer import Prepare, Run

MODEL = "model"


@dataclass(frozen=True)
class GpudbEmbed:
    """A model of texts.

    ``door`` is ``sql``; ``embed`` for :meth:`Database.embed`, without SQL; ``encoder`` for the
    model alone, without the database: texts in, vectors out.
    """

    device: str = "jit"
    precision: str = "float32"
    door: str = "sql"

    @property
    def name(self) -> str:
        """What tables call it."""
        door = "" if self.door == "sql" else f", {self.door}"
        return f"gpudb {self.device} {self.precision}{door}"

    @property
    def packages(self) -> tuple[str, ...]:
        """Beside gpudb's own."""
        return ("numba",) if self.device == "jit" else ("numpy",)

    @property
    def files(self) -> str:
        """A database of its own: two processes would wait for each other."""
        return self.name.replace(" ", "-").replace(",", "")

    def convert(self, model: Path, folder: Path) -> None:
        """Import the model."""
        import gpudb

        with gpudb.connect(folder, device="numpy") as db:
            db.import_model(model, MODEL)

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Open the database."""
        import pyarrow as pa

        import gpudb

        db = gpudb.connect(folder, device=self.device, precision=self.precision, threads=threads)
        numbers = count()

        def rows(texts: list[str]) -> Run:
            table = f"texts_{next(numbers)}"
            db.create_table(table, pa.table({"text": texts}), replace=True)
            query = f"SELECT embed('{MODEL}', text) AS vector FROM {table}"
            return lambda: db.sql(query).numpy("vector")

        def one(texts: list[str]) -> Run:
            query = f"SELECT embed('{MODEL}', $text) AS vector"
            return lambda: db.sql(query, {"text": texts[0]}).numpy("vector")

        def embed(texts: list[str]) -> Run:
            return lambda: db.embed(MODEL, texts).numpy("embedding")

        def encoder(texts: list[str]) -> Run:
            column = pa.chunked_array([texts], pa.large_string())
            # No public door leads past the database; what SQL costs is measured against this.
            bare = db._library.encoder(MODEL)
            return lambda: bare.embed(column, db.settings)[0]

        def sql(texts: list[str]) -> Run:
            return one(texts) if len(texts) == 1 else rows(texts)

        def prepare(texts: list[str]) -> Run:
            doors = {"sql": sql, "embed": embed, "encoder": encoder}
            run = doors[self.door](texts)
            return lambda: np.asarray(run(), np.float32)

        return prepare
