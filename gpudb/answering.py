"""What a database can be asked about texts: vectors, labels, spans, scores, words."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from gpudb.embed_options import EmbedOptions
from gpudb.errors import InputError
from gpudb.functions import WordOptions
from gpudb.models.library import ModelLibrary
from gpudb.models.text_column import as_text_column
from gpudb.result import Result


class Answering:
    """The part of :class:`~gpudb.Database` that runs models over columns of text.

    In every method ``model`` is ``"name"`` or ``"name@version"``, and a column of ``n`` texts is a
    list, or a NumPy, pandas, polars, cuDF or Arrow column. A null text has null answers. ``stats``
    of the result is an :class:`~gpudb.models.statistics.InferStatistics`. All but :meth:`embed`
    raise an :class:`~gpudb.errors.UnsupportedError` where the checkpoint had no head for it.
    """

    _library: ModelLibrary

    def embed(
        self,
        model: str,
        column: object,
        *,
        dimensions: int | None = None,
        prompt: str | None = None,
        dtype: str = "float32",
    ) -> Result:
        """Embed a column of texts, or of images for a model of these.

        Parameters
        ----------
        column
            Texts; of images the bytes of their files, as lists, Arrow, pandas or polars hold them.
        dimensions, prompt, dtype
            See :class:`~gpudb.embed_options.EmbedOptions`.

        Returns
        -------
        Result
            ``embedding``, ``n`` vectors.
        """
        texts = [self._library.column(model, column, "column")]
        options = EmbedOptions(dimensions, prompt, dtype)
        (vectors,), stats = self._library.answers(["embed"], model, texts, options)
        return Result(pa.table({"embedding": vectors}), stats)

    def classify(self, model: str, column: object, pair: object = None) -> Result:
        """Which label each text or image of a column has, or each pair of texts of two.

        Parameters
        ----------
        model
            Its head tells labels apart.
        column
            The texts, or images as for :meth:`embed`.
        pair
            The other text of each pair, for models trained on two (natural language inference);
            or a single one for all; None for single texts.

        Returns
        -------
        Result
            ``label``, the likeliest; its ``probability``; ``probabilities``, a map of all labels.
            Where the labels do not exclude each other, these do not sum to 1; of a regression they
            are the numbers it gives.
        """
        functions = ("classify", "classify_all")
        texts = (
            [self._library.column(model, column, "column")]
            if pair is None
            else _pairs(column, pair)
        )
        (best, all_), stats = self._library.answers(functions, model, texts)
        label, probability = (pc.struct_field(best, index) for index in (0, 1))
        columns = {"label": label, "probability": probability, "probabilities": all_}
        return Result(pa.table(columns), stats)

    def tag(self, model: str, column: object) -> Result:
        """The spans of each text that have a label, such as names.

        Returns
        -------
        Result
            ``spans``, lists of ``label``, ``text``, ``probability`` and the characters
            ``start <= i < stop``, counted from 0.
        """
        (spans,), stats = self._library.answers(["tag"], model, [_texts(column)])
        return Result(pa.table({"spans": spans}), stats)

    def score(self, model: str, a: object, b: object) -> Result:
        """How well two texts belong together, with a cross-encoder.

        Parameters
        ----------
        model
            Its head has one label.
        a, b
            Two columns of equal length; one of them may be a single text, which every text of the
            other is paired with.

        Returns
        -------
        Result
            ``score``: between 0 and 1, unless the checkpoint says otherwise.
        """
        (scores,), stats = self._library.answers(["score"], model, _pairs(a, b))
        return Result(pa.table({"score": scores}), stats)

    def fill_mask(self, model: str, column: object, *, top: int = 5) -> Result:
        """The likeliest words for the masked one in each text of a column.

        Parameters
        ----------
        model
            A masked language model.
        column
            Each text has one mask token: ``[MASK]``, or what the tokenizer calls it.
        top
            How many words.

        Returns
        -------
        Result
            ``words``, lists of ``token`` and ``probability``, the likeliest first.
        """
        texts, options = [_texts(column)], WordOptions(top)
        (words,), stats = self._library.answers(["fill_mask"], model, texts, options)
        return Result(pa.table({"words": words}), stats)


def _texts(column: object, name: str = "column") -> pa.ChunkedArray:
    return as_text_column(column, name)


def _pairs(a: object, b: object) -> list[pa.ChunkedArray]:
    """Two columns of equal length."""
    if isinstance(a, str) and isinstance(b, str):
        b = [b]
    if isinstance(a, str):
        a = [a] * len(_texts(b, "b"))
    elif isinstance(b, str):
        b = [b] * len(_texts(a, "a"))
    columns = [_texts(a, "a"), _texts(b, "b")]
    if len(columns[0]) != len(columns[1]):
        raise InputError(
            f"pairs: {len(columns[0])} texts and {len(columns[1])}; expected as many, or a single "
            "text for one of them"
        )
    return columns
