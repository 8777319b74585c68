"""The vectors of one statement: each model runs over each distinct text once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpudb.distinct import distinct_texts, vectors_of_rows
from gpudb.sql.protocols import ModelCounts, ModelFunctions
from gpudb.types import HostArray


class Vectors:
    """What the models of one statement have computed so far.

    Parameters
    ----------
    models
        What computes them.
    """

    def __init__(self, models: ModelFunctions) -> None:
        self._models = models
        self._texts: dict[str, pa.LargeStringArray] = {}
        self._values: dict[str, HostArray] = {}

    def of(self, model: str, texts: pa.ChunkedArray) -> tuple[pa.Array, int, ModelCounts | None]:
        """Vectors of a column, in its order; null for null.

        Parameters
        ----------
        model
            Name of the model.
        texts
            ``(n,)`` strings.

        Returns
        -------
        vectors
            ``(n,)`` lists of the model's width, float32.
        computed
            How many texts the model ran over: those that no earlier column had.
        counts
            What that took; None if every text was known.
        """
        distinct, numbers = distinct_texts(texts)
        known = self._texts.get(model, pa.array([], pa.large_string()))
        new = distinct.filter(pc.invert(pc.is_in(distinct, known)))
        counts: ModelCounts | None = None
        if len(new):
            values, counts = self._models.embed(model, new)
            before = self._values.get(model, values[:0])
            self._texts[model] = known = pa.concat_arrays([known, new])
            self._values[model] = np.concatenate([before, values])
        if not len(distinct):
            width = self._models.embedding_width(model)
            return pa.nulls(len(texts), pa.list_(pa.float32(), width)), 0, None
        places = pc.index_in(distinct, known).take(numbers)
        return vectors_of_rows(self._values[model], places), len(new), counts
