"""Names of TensorFlow and Keras: Google's first checkpoints, and what transformers writes.

==================================================== ===========================================
in TensorFlow                                        in PyTorch
==================================================== ===========================================
``bert/encoder/layer_0/output/dense/kernel``         ``bert.encoder.layer.0.output.dense.weight``
``bert/embeddings/word_embeddings``                  ``bert.embeddings.word_embeddings.weight``
``bert/tf_bert_model/bert/…/layer_._0/output/…:0``   ``bert.….layer.0.output.…``
==================================================== ===========================================

The rules for ``._.`` and ``___`` are those of transformers' ``modeling_tf_pytorch_utils``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

KINDS = {
    "kernel": "weight",
    "weight": "weight",
    "embeddings": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

# What optimisers and savers keep beside the model.
_TRAINING = re.compile(
    r"global_step|save_counter|_CHECKPOINTABLE_OBJECT_GRAPH|(.*/)?_?optimizer/.*|.*/adam_[mv]"
    r"|.*/Adam(_1)?|.*/\.OPTIMIZER_SLOT/.*|(beta[12]_power|(.*/)?iter(ations)?|learning_rate)"
)
_NUMBERED = re.compile(r"(layer)_(\d+)")


def torch_name(parts: Sequence[str]) -> str | None:
    """PyTorch's name for a variable, from the parts of its own; None for state of training."""
    if _TRAINING.fullmatch("/".join(parts)):
        return None
    *path, last = _without_model(parts)
    layers = [word for part in path for word in _words(part)]
    # Where a variable has no kind it is a table: "word_embeddings", "rel_embeddings.weight".
    kind = KINDS.get(last) or f"{last.removesuffix('.weight')}.weight"
    return ".".join([*layers, kind])


def _without_model(parts: Sequence[str]) -> Sequence[str]:
    """Take off what stands before the first layer.

    Keras may put the name of the model there (``tf_bert_model/bert/…``), and its HDF5 files have
    the name of the layer once more in front (``bert/tf_bert_model/bert/…``, ``bert/bert/…``).
    """
    for place in (2, 1):
        if parts[0] in parts[place : place + 1] and place < len(parts) - 1:
            return parts[place:]
    return parts[1:] if parts[0].startswith("tf_") and len(parts) > 1 else parts


def _words(part: str) -> list[str]:
    # "a___b" is layer b, saved under a name that nothing else has; "layer_._0" is one of a list.
    part = part.rpartition("___")[2]
    numbered = _NUMBERED.fullmatch(part)
    return list(numbered.groups()) if numbered else part.split("_._")
