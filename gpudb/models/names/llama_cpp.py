"""Names of llama.cpp, in its GGUF files of architectures ``bert`` and ``nomic-bert``.

==================================== ====================================================
in GGUF                              in PyTorch
==================================== ====================================================
``token_embd.weight``                ``embeddings.word_embeddings.weight``
``blk.0.attn_q.weight``              ``encoder.layer.0.attention.self.query.weight``
``blk.0.attn_qkv.weight``            ``encoder.layers.0.attn.Wqkv.weight`` of NomicBERT
==================================== ====================================================

They are those of ``gguf.tensor_mapping``. Layout is PyTorch's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

WORDS = "token_embd.weight"
"""What every file of an encoder has, under a name that nobody else uses."""

TABLES = {
    "token_embd": "embeddings.word_embeddings",
    "token_types": "embeddings.token_type_embeddings",
    "position_embd": "embeddings.position_embeddings",
}


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one architecture."""

    embeddings: Mapping[str, str]
    prefix: str
    """What the names of layers begin with."""
    layers: Mapping[str, str]

    def torch_name(self, parts: Sequence[str]) -> str:
        """PyTorch's name for a tensor, from the parts of its own; unknown ones stay."""
        match parts:
            case ("blk", number, step, kind) if step in self.layers:
                return f"{self.prefix}.{number}.{self.layers[step]}.{kind}"
            case (step, kind) if step in self.embeddings:
                return f"{self.embeddings[step]}.{kind}"
        return ".".join(parts)


BERT = Names(
    {**TABLES, "token_embd_norm": "embeddings.LayerNorm"},
    "encoder.layer",
    {
        "attn_q": "attention.self.query",
        "attn_k": "attention.self.key",
        "attn_v": "attention.self.value",
        "attn_output": "attention.output.dense",
        "attn_output_norm": "attention.output.LayerNorm",
        "ffn_up": "intermediate.dense",
        "ffn_down": "output.dense",
        "layer_output_norm": "output.LayerNorm",
    },
)
NOMIC_BERT = Names(
    {**TABLES, "token_embd_norm": "emb_ln"},
    "encoder.layers",
    {
        "attn_qkv": "attn.Wqkv",
        "attn_output": "attn.out_proj",
        "attn_output_norm": "norm1",
        "ffn_up": "mlp.fc11",
        "ffn_gate": "mlp.fc12",
        "ffn_down": "mlp.fc2",
        "layer_output_norm": "norm2",
    },
)


def names_of(found: Collection[str]) -> Names:
    """Those of the architecture whose tensors were found."""
    return NOMIC_BERT if "blk.0.attn_qkv.weight" in found else BERT
