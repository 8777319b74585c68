"""Linear layers and what is made of nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from gpudb.errors import InputError
from gpudb.relation import TensorRelation


def linear(
    x: TensorRelation,
    weight: TensorRelation,
    bias: TensorRelation | None = None,
    activation: str | None = None,
) -> TensorRelation:
    """``activation(x @ weight.T + bias)``, weights as PyTorch keeps them.

    Parameters
    ----------
    x
        ``(n, in)``.
    weight
        ``(out, in)``.
    bias
        ``(out,)`` or None.
    activation
        A function of one element, as in :data:`gpudb.plan.tensor.MAP_FUNCTIONS`, or None.

    Returns
    -------
    TensorRelation
        ``(n, out)``.
    """
    product = x @ weight.T
    shifted = product if bias is None else product + bias
    return shifted if activation is None else shifted.map(activation)


def feed_forward(
    x: TensorRelation,
    layers: Sequence[tuple[TensorRelation, TensorRelation]],
    activation: str = "relu",
    last: str | None = None,
) -> TensorRelation:
    """Linear layers one after the other: ``(n, in)`` -> ``(n, out of the last)``.

    Parameters
    ----------
    x
        ``(n, in)``; blocks that are missing are never multiplied.
    layers
        Weight ``(out, in)`` and bias ``(out,)`` of each layer; at least one.
    activation
        Between layers.
    last
        After the last layer: a function of one element, ``"softmax"``, or None.
    """
    if not layers:
        raise InputError("feed_forward: found no layers; give at least one (weight, bias)")
    *inner, (weight, bias) = layers
    for w, b in inner:
        x = linear(x, w, b, activation)
    if last == "softmax":
        return linear(x, weight, bias).softmax()
    return linear(x, weight, bias, last)


def logistic_regression(
    x: TensorRelation, weight: TensorRelation, bias: TensorRelation
) -> TensorRelation:
    """Probability of each class on its own: ``(n, in)``, ``(classes, in)`` -> ``(n, classes)``."""
    return linear(x, weight, bias, "sigmoid")
