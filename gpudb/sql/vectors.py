"""The vectors of one statement: each model runs over each distinct text once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpudb.distinct import distinct_texts, vectors_of_rows
from gpudb.embed_options import VECTOR_DTYPES, EmbedOptions
from gpudb.sql.protocols import ModelCounts, ModelFunctions
from gpudb.types import HostArray


class Vectors:
    """What the models of one statement have computed so far.

    Whatever form of a vector a call wants, it is made from the model's own.

    Parameters
    ----------
    models
        What computes them.
    """

    def __init__(self, models: ModelFunctions) -> None:
        self._models = models
        self._texts: dict[tuple[str, str | None], pa.LargeStringArray] = {}
        self._values: dict[tuple[str, str | None], HostArray] = {}

    def of(
        self, model: str, texts: pa.ChunkedArray, options: EmbedOptions
    ) -> tuple[pa.Array, int, ModelCounts | None]:
        """Vectors of a column, in its order; null for null.

        Parameters
        ----------
        model
            Name of the model.
        texts
            ``(n,)`` strings.
        options
            Prompt and form.

        Returns
        -------
        vectors
            ``(n,)`` lists of the form's width and dtype.
        computed
            How many texts the model ran over: those that no earlier column had.
        counts
            What that took; None if every text was known.
        """
        distinct, numbers = distinct_texts(texts)
        run = (model, options.prompt)
        known = self._texts.get(run, pa.array([], pa.large_string()))
        new = distinct.filter(pc.invert(pc.is_in(distinct, known)))
        counts: ModelCounts | None = None
        if len(new):
            values, counts = self._models.embed(model, new, options.prompt)
            before = self._values.get(run, values[:0])
            self._texts[run] = known = pa.concat_arrays([known, new])
            self._values[run] = np.concatenate([before, values])
        if not len(distinct):
            return self.nulls(model, len(texts), options), 0, None
        places = pc.index_in(distinct, known).take(numbers)
        vectors = self._models.formed(model, self._values[run], options)
        return vectors_of_rows(vectors, places), len(new), counts

    def nulls(self, model: str, rows: int, options: EmbedOptions) -> pa.Array:
        """So many rows without a vector, of the type that vectors have."""
        width = self._models.embedding_width(model, options)
        element = pa.from_numpy_dtype(VECTOR_DTYPES[options.dtype])
        return pa.nulls(rows, pa.list_(element, width))
