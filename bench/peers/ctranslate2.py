"""CTranslate2: ragged batches sorted by length, by default a worker for each thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peers.batches import mean_vectors, open_tokenizer, padded, sorted_batches, tokenize
from peers.peer import Prepare, Run

BATCH_TEXTS, BATCH_TOKENS = 32, 4096


@dataclass(frozen=True)
class CTranslate2:
    """A model of texts."""

    precision: str = "float32"
    workers: int = 0
    """0 for as many as threads; 1, which uses all threads, is what one text at a time asks for."""
    packages = ("ctranslate2", "torch", "transformers")
    files = "ctranslate2"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"CTranslate2 {self.precision}" + (
            f", {self.workers} worker" if self.workers else ""
        )

    def convert(self, model: Path, folder: Path) -> None:
        """With its own converter; int8 is made when it is loaded."""
        from ctranslate2.converters import TransformersConverter

        TransformersConverter(str(model)).convert(str(folder), force=True)

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Open an encoder; mean and unit length are left to its user."""
        import ctranslate2

        count = self.workers or threads
        encoder = ctranslate2.Encoder(
            str(folder),
            inter_threads=count,
            intra_threads=threads // count,
            compute_type=self.precision,
        )
        tokenizer = open_tokenizer(model)
        pool = ThreadPoolExecutor(count)

        def prepare(texts: list[str]) -> Run:
            def run() -> np.ndarray:
                ids = tokenize(tokenizer, texts)

                def embed(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                    output = encoder.forward_batch([ids[row] for row in rows])
                    mask = padded(ids, rows)[1]
                    return rows, mean_vectors(np.array(output.last_hidden_state), mask)

                batches = sorted_batches(ids, BATCH_TEXTS, BATCH_TOKENS)
                done = list(pool.map(embed, batches))
                vectors = np.empty((len(texts), done[0][1].shape[1]), np.float32)
                for rows, batch in done:
                    vectors[rows] = batch
                return vectors

            return run

        return prepare
