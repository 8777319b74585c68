"""Names of GluonNLP's BERT, which Gluon's ``save_parameters`` writes to MXNet's files.

================================================ ==================================================
in GluonNLP                                      in PyTorch
================================================ ==================================================
``encoder.position_weight``                      ``embeddings.position_embeddings.weight``
``encoder.transformer_cells.0.ffn.ffn_1.weight`` ``encoder.layer.0.intermediate.dense.weight``
``decoder.2.gamma``                              ``cls.predictions.transform.LayerNorm.gamma``
``bert.….weight`` of a ``BERTClassifier``        ``bert.….weight``
================================================ ==================================================

They are those of ``gluonnlp.model.bert`` 0.10. Layout is PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence

CELLS = "transformer_cells"
"""What tells these names: the list of layers."""

STEPS = {
    "attention_cell.proj_query": "attention.self.query",
    "attention_cell.proj_key": "attention.self.key",
    "attention_cell.proj_value": "attention.self.value",
    "proj": "attention.output.dense",
    "layer_norm": "attention.output.LayerNorm",
    "ffn.ffn_1": "intermediate.dense",
    "ffn.ffn_2": "output.dense",
    "ffn.layer_norm": "output.LayerNorm",
}
"""Names within a layer."""

OTHERS = {
    "word_embed.0": "embeddings.word_embeddings",
    "token_type_embed.0": "embeddings.token_type_embeddings",
    "encoder.layer_norm": "embeddings.LayerNorm",
    "pooler": "pooler.dense",
    "decoder.0": "cls.predictions.transform.dense",
    "decoder.2": "cls.predictions.transform.LayerNorm",
    "classifier": "cls.seq_relationship",
    "classifier.0": "classifier",
    "classifier.1": "classifier",  # behind dropout
}
WHOLE = {
    "encoder.position_weight": "embeddings.position_embeddings.weight",
    "decoder.3.weight": "cls.predictions.decoder.weight",
    "decoder.3.bias": "cls.predictions.bias",
}
"""Names that say more, or less, than a layer and a kind."""


def torch_name(parts: Sequence[str]) -> str:
    """PyTorch's name for a parameter, from the parts of its own; unknown ones stay."""
    if parts[0] == "bert":
        return f"bert.{torch_name(parts[1:])}"
    name = ".".join(parts)
    step, _, kind = name.rpartition(".")
    if list(parts[:2]) == ["encoder", CELLS]:
        step = ".".join(parts[3:-1])
        return f"encoder.layer.{parts[2]}.{STEPS[step]}.{kind}" if step in STEPS else name
    if name in WHOLE:
        return WHOLE[name]
    return f"{OTHERS[step]}.{kind}" if step in OTHERS else name
