"""What encoders of rows are given: a batch of sequences, padded to the longest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np


@dataclass(frozen=True)
class Rows:
    """Sequences of a batch, one below the other.

    Parameters
    ----------
    x
        ``(batch, longest, width)`` float32; rows beyond a sequence's end are zero.
    lengths
        ``(batch,)`` rows of each sequence.
    """

    x: np.ndarray
    lengths: np.ndarray

    def __reduce__(self) -> tuple[Callable[[bytes], Rows], tuple[bytes]]:
        """As a file of NumPy's: a NumPy of before 2.0 does not read the pickles of later ones."""
        file = BytesIO()
        np.savez(file, x=self.x, lengths=self.lengths)
        return _unpickled, (file.getvalue(),)

    @property
    def present(self) -> np.ndarray:
        """``(batch, longest)`` bool: true for rows of a sequence."""
        return np.arange(self.x.shape[1]) < self.lengths[:, None]

    @property
    def padded(self) -> bool:
        """Whether any row belongs to no sequence."""
        return not self.present.all()

    @property
    def packed(self) -> np.ndarray:
        """``(rows, width)``: those of a sequence, without padding."""
        return self.x[self.present]

    def answered(self, answer: np.ndarray) -> np.ndarray:
        """Rows of sequences in an answer, which has as many rows as ``x`` or ``packed``."""
        return answer[self.present] if answer.ndim == 3 else answer


def _unpickled(content: bytes) -> Rows:
    with np.load(BytesIO(content)) as file:
        return Rows(file["x"], file["lengths"])


def scores_away(rows: Rows) -> np.ndarray:
    """``(batch, 1, 1, longest)`` float32 to add to scores: -inf for keys of no sequence."""
    away = np.where(rows.present, 0, -np.inf).astype(np.float32)
    return away[:, None, None]
