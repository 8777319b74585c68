"""Plain ``torch.nn.TransformerEncoder``: rows of numbers in, rows of numbers out.

The encoder of the work gpudb grew out of (arXiv 2405.04807): attention, layer-norm, dropout,
feed-forward, residuals, two blocks of them. A checkpoint is the module's ``state_dict()`` saved as
``model.safetensors`` beside a ``config.json`` with the constructor's arguments::

    {"model_type": "torch.nn.TransformerEncoder", "d_model": 64, "nhead": 8, "num_layers": 2,
     "dim_feedforward": 256, "activation": "relu", "norm_first": false, "layer_norm_eps": 1e-5,
     "final_norm": false}
"""

from __future__ import annotations

from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    activation,
    dropout_rate,
    feed_forward,
    flag,
    head_count,
    layer_count,
    linear,
    positive_number,
    whole_number,
)
from gpudb.models.attention import self_attention
from gpudb.plan.node import Node
from gpudb.plan.tensor import Columns, Dropout, Input, LayerNorm, Zip
from gpudb.types import TensorSchema


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    width = whole_number(config, "d_model")
    wide = whole_number(config, "dim_feedforward")
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in _layers(config):
        shapes |= {
            f"{layer}.self_attn.in_proj_weight": (3 * width, width),
            f"{layer}.self_attn.in_proj_bias": (3 * width,),
            f"{layer}.self_attn.out_proj.weight": (width, width),
            f"{layer}.self_attn.out_proj.bias": (width,),
            f"{layer}.linear1.weight": (wide, width),
            f"{layer}.linear1.bias": (wide,),
            f"{layer}.linear2.weight": (width, wide),
            f"{layer}.linear2.bias": (width,),
        }
        for norm in ("norm1", "norm2"):
            shapes |= {f"{layer}.{norm}.weight": (width,), f"{layer}.{norm}.bias": (width,)}
    if flag(config, "final_norm"):
        shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    return shapes


def rename(name: str) -> str | None:
    """Names are PyTorch's own."""
    return name


def build(config: Config, scan: ScanWeight) -> Node:
    """Layers with the norm after each residual sum, or before each branch (``norm_first``)."""
    width = whole_number(config, "d_model")
    heads = head_count(config, "nhead", width)
    eps = positive_number(config, "layer_norm_eps", 1e-5)
    dropout = dropout_rate(config, "dropout")
    fn = activation(config, "activation")

    def norm(x: Node, name: str) -> Node:
        return LayerNorm(x, scan(f"{name}.weight"), scan(f"{name}.bias"), eps)

    def attend(x: Node, name: str) -> Node:
        merged = linear(x, scan(f"{name}.in_proj_weight"), scan(f"{name}.in_proj_bias"))
        q, k, v = (Columns(merged, i * width, (i + 1) * width) for i in range(3))
        context = self_attention(q, k, v, heads, dropout)
        out = linear(context, scan(f"{name}.out_proj.weight"), scan(f"{name}.out_proj.bias"))
        return Dropout(out, dropout)

    def feed(x: Node, name: str) -> Node:
        dense = [scan(f"{name}.{part}.{kind}") for part in _DENSE for kind in ("weight", "bias")]
        return Dropout(feed_forward(x, dense, fn), dropout)

    shape = ("tokens", width)
    x: Node = Input(TensorSchema("rows", shape, shape))
    for layer in _layers(config):
        if flag(config, "norm_first"):
            x = Zip(x, attend(norm(x, f"{layer}.norm1"), f"{layer}.self_attn"), "add")
            x = Zip(x, feed(norm(x, f"{layer}.norm2"), layer), "add")
        else:
            x = norm(Zip(attend(x, f"{layer}.self_attn"), x, "add"), f"{layer}.norm1")
            x = norm(Zip(feed(x, layer), x, "add"), f"{layer}.norm2")
    return norm(x, "norm") if flag(config, "final_norm") else x


_DENSE = ("linear1", "linear2")


def _layers(config: Config) -> list[str]:
    return [f"layers.{i}" for i in range(layer_count(config, "num_layers"))]


TRANSFORMER_ENCODER = Architecture(
    name="transformer_encoder",
    model_types=("torch.nn.TransformerEncoder",),
    reads="rows",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: None,
)
