"""sentence-transformers on PyTorch: batches of 32, which it sorts by length itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peers.peer import Prepare, Run

BATCH_TEXTS = 32


@dataclass(frozen=True)
class SentenceTransformers:
    """A model of texts."""

    precision: str = "float32"
    packages = ("sentence-transformers", "torch", "transformers")
    files = "sentence-transformers"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"sentence-transformers {self.precision}"

    def convert(self, model: Path, folder: Path) -> None:
        """It reads the model as it is."""

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Open the model."""
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers import logging

        logging.set_verbosity_error()
        torch.set_num_threads(threads)
        dtype = {"dtype": getattr(torch, self.precision)}
        encoder = SentenceTransformer(str(model), device="cpu", model_kwargs=dtype)

        def prepare(texts: list[str]) -> Run:
            def run() -> np.ndarray:
                vectors = encoder.encode(
                    texts, batch_size=BATCH_TEXTS, convert_to_tensor=True, show_progress_bar=False
                )
                return vectors.float().numpy()

            return run

        return prepare
