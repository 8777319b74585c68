"""What the models of one statement answer: each runs over each distinct row of texts once."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from gpudb.distinct import by_row, distinct_rows, rows_in_errors
from gpudb.functions import ModelFunction, Options
from gpudb.sql.protocols import ModelCounts, ModelFunctions


class Answers:
    """What has been computed so far.

    Functions that have a model compute the same share it: whatever form of a vector a call wants,
    it is made from the model's own.

    Parameters
    ----------
    models
        What computes them.
    """

    def __init__(self, models: ModelFunctions) -> None:
        self._models = models
        self._texts: dict[tuple[object, ...], list[pa.Array]] = {}
        self._rows: dict[tuple[object, ...], pa.Array] = {}

    def of(
        self,
        function: ModelFunction,
        model: str,
        texts: Sequence[pa.ChunkedArray],
        options: Options,
    ) -> tuple[pa.Array, int, ModelCounts | None]:
        """Answers for the rows of columns of text, in their order; null where a text is.

        Parameters
        ----------
        function
            What is asked.
        model
            Name of the model.
        texts
            Columns ``(n,)`` of the type that the model reads, as many as the call has.
        options
            Of the call.

        Returns
        -------
        answers
            ``(n,)`` of the type that the function returns.
        computed
            How many rows the model ran over: those that no earlier call had.
        counts
            What that took; None if every row was known.
        """
        run = function.run(model, len(texts), options)
        known = self._texts.get(run, [])
        before = len(known[0]) if known else 0
        if known:
            texts = [_after(k, column) for k, column in zip(known, texts, strict=True)]
        distinct, numbers = distinct_rows(texts)
        new = [column.slice(before) for column in distinct]
        counts: ModelCounts | None = None
        if len(new[0]):
            with rows_in_errors(numbers.slice(before), before):
                rows, counts = self._models.ask(function.name, model, new, options)
            self._rows[run] = pa.concat_arrays([self._rows[run], rows]) if before else rows
            self._texts[run] = distinct
        if not len(distinct[0]):
            return self.nulls(function, model, len(numbers), options), 0, None
        answers = self._models.formed(function.name, model, self._rows[run], options)
        found = answers.take(numbers.slice(before)) if before else by_row(answers, numbers)
        return found, len(new[0]), counts

    def nulls(self, function: ModelFunction, model: str, rows: int, options: Options) -> pa.Array:
        """So many rows without an answer, of the type that answers have."""
        return pa.nulls(rows, self._models.returns(function.name, model, options))


def _after(known: pa.Array, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column behind the texts that are known; their numbers stay what they are."""
    return pa.chunked_array([known, *texts.chunks])
