"""What encoders of rows are given: a batch of sequences, padded to the longest."""

from __future__ import annotations

from dataclasses import dataclass

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


def scores_away(rows: Rows) -> np.ndarray:
    """``(batch, 1, 1, longest)`` float32 to add to scores: -inf for keys of no sequence."""
    away = np.where(rows.present, 0, -np.inf).astype(np.float32)
    return away[:, None, None]
