"""Texts as bags of tokens: embedding lookup, mean, linear layer."""

from __future__ import annotations

from gpudb.layers.linear import linear
from gpudb.relation import TensorRelation


def embedding_classifier(
    table: TensorRelation,
    token_ids: TensorRelation,
    text_of_token: TensorRelation,
    texts: int,
    weight: TensorRelation,
    bias: TensorRelation,
) -> TensorRelation:
    """Class probabilities of each text: the mean of its tokens' embeddings, classified.

    The lookup is a join of token ids with the rows of the table, the mean a group-by on the text.

    Parameters
    ----------
    table
        ``(vocabulary, width)``.
    token_ids
        ``(tokens,)`` integers: all texts, one after the other.
    text_of_token
        ``(tokens,)`` integers below ``texts``.
    texts
        How many there are; one without tokens has the embedding 0.
    weight, bias
        ``(classes, width)`` and ``(classes,)``.

    Returns
    -------
    TensorRelation
        ``(texts, classes)``; each row sums to 1.
    """
    means = table.take(token_ids).segment(text_of_token, texts, "mean")
    return linear(means, weight, bias).softmax()
