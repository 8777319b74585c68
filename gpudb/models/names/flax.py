"""Names of Flax: ``layer/0/output/dense/kernel`` is PyTorch's ``layer.0.output.dense.weight``."""

from __future__ import annotations

from collections.abc import Sequence

KINDS = {"kernel": "weight", "scale": "weight", "embedding": "weight"}
COLLECTION = "params"
"""The variables that are trained; a saved training state has it twice, and more beside it."""
TRAINING = frozenset({"opt_state", "step"})


def torch_name(parts: Sequence[str]) -> str | None:
    """PyTorch's name for a parameter, from the parts of its own; None for state of training."""
    if parts[0] in TRAINING:
        return None
    path = list(parts)
    while len(path) > 1 and path[0] == COLLECTION:
        del path[0]
    return ".".join([*path[:-1], KINDS.get(path[-1], path[-1])])
