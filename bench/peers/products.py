"""Matrix products alone: what an encoder cannot be faster than, by gpudb and by BLAS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from peers.peer import Prepare, Run


@dataclass(frozen=True)
class Products:
    """``(rows, inner) @ (columns, inner)ᵀ``; ``by`` is ``gpudb``, ``BLAS`` or ``PyTorch``."""

    by: str = "gpudb"
    precision: str = "float32"

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"products, {self.by} {self.precision}"

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions it needs."""
        return {"gpudb": ("numba",), "BLAS": ("numpy",), "PyTorch": ("torch",)}[self.by]

    @property
    def files(self) -> str:
        """Nothing is written, apart from a log."""
        return self.name.replace(" ", "-").replace(",", "")

    def convert(self, model: Path, folder: Path) -> None:
        """There is no model."""

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Ready for shapes ``(rows, inner, columns)``."""
        multiply = {"gpudb": self._gpudb, "BLAS": self._blas, "PyTorch": self._torch}[self.by]

        def prepare(shape: tuple[int, int, int]) -> Run:
            rows, inner, columns = shape
            random = np.random.default_rng(0)
            x = random.standard_normal((rows, inner), np.float32)
            return multiply(x, random.standard_normal((columns, inner), np.float32), threads)

        return prepare

    def _blas(self, x: np.ndarray, weight: np.ndarray, threads: int) -> Run:
        return lambda: x @ weight.T

    def _gpudb(self, x: np.ndarray, weight: np.ndarray, threads: int) -> Run:
        """Rows are shared among threads, as batches are."""
        from gpudb.backend import open_backend

        backend = open_backend("jit", precision=self.precision)
        packed = backend.pack(weight)
        parts, workers = np.array_split(x, threads), ThreadPoolExecutor(threads)
        return lambda: list(workers.map(lambda part: backend.matmul(part, packed, True), parts))

    def _torch(self, x: np.ndarray, weight: np.ndarray, threads: int) -> Run:
        import torch

        torch.set_num_threads(threads)
        if self.precision == "int8":
            a, b = ((torch.from_numpy(v) * 32).clamp(-127, 127).char() for v in (x, weight))
            return lambda: torch._int_mm(a, b.T)
        dtype = getattr(torch, self.precision)
        a, b = (torch.from_numpy(v).to(dtype) for v in (x, weight))
        return lambda: a @ b.T


LIMITS = (
    Products("gpudb", "float32"),
    Products("BLAS", "float32"),
    Products("gpudb", "bfloat16"),
    Products("PyTorch", "bfloat16"),
    Products("gpudb", "int8"),
    Products("PyTorch", "int8"),
)
