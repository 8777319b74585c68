"""The encoder of ``bench_encoder.py`` as a PyTorch module, as its users write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def encoder_weights(model: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Settings and weights, named as ``torch.nn.TransformerEncoder`` names them."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    with np.load(model / "weights.npz") as file:
        return config, dict(file)


def written_out(model: Path) -> Any:
    """The encoder by PyTorch's functions, attention by ``scaled_dot_product_attention``."""
    import torch
    from torch.nn import functional as f

    config, arrays = encoder_weights(model)
    width, heads, layers = (config[name] for name in ("d_model", "nhead", "num_layers"))

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, array in arrays.items():
                self.register_buffer(name.replace(".", "_"), torch.from_numpy(array))

        def forward(self, x: Any, present: Any = None) -> Any:
            keys = None if present is None else present[:, None, None]
            for layer in range(layers):
                x = self.block(x, keys, f"layers_{layer}")
            return x

        def block(self, x: Any, keys: Any, name: str) -> Any:
            def linear(x: Any, part: str, dot: str = "_") -> Any:
                weight, bias = (getattr(self, f"{name}_{part}{dot}{k}") for k in ("weight", "bias"))
                return f.linear(x, weight, bias)

            def norm(x: Any, part: str) -> Any:
                weight, bias = (getattr(self, f"{name}_{part}_{k}") for k in ("weight", "bias"))
                return f.layer_norm(x, (width,), weight, bias, 1e-5)

            split = linear(x, "self_attn_in_proj").chunk(3, -1)
            q, k, v = (
                part.reshape(x.shape[0], x.shape[1], heads, width // heads).transpose(1, 2)
                for part in split
            )
            context = f.scaled_dot_product_attention(q, k, v, keys).transpose(1, 2).reshape(x.shape)
            x = norm(x + linear(context, "self_attn_out_proj"), "norm1")
            return norm(x + linear(f.gelu(linear(x, "linear1")), "linear2"), "norm2")

    return Encoder().eval()


def by_class(model: Path) -> Any:
    """The same as a ``torch.nn.TransformerEncoder``, whose fast path is on in evaluation."""
    import torch

    config, arrays = encoder_weights(model)
    layer = torch.nn.TransformerEncoderLayer(
        config["d_model"],
        config["nhead"],
        config["dim_feedforward"],
        activation=config["activation"],
        batch_first=True,
    )
    encoder = torch.nn.TransformerEncoder(layer, config["num_layers"])
    encoder.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return encoder.eval()
