"""Models written in the algebra: functions from tensor relations to a tensor relation.

Nothing is computed when they are called; ``collect()`` of the result does that.
"""

from __future__ import annotations

from gpudb.layers.classifier import embedding_classifier
from gpudb.layers.conv2d import conv2d
from gpudb.layers.linear import feed_forward, linear, logistic_regression
from gpudb.layers.lstm import lstm

__all__ = [
    "conv2d",
    "embedding_classifier",
    "feed_forward",
    "linear",
    "logistic_regression",
    "lstm",
]
