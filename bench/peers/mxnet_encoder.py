"""MXNet: the encoder as a graph of its operators, bound to the shape of a batch.

Its last release, 1.9.1, needs a NumPy below 1.24 and so an environment of its own; see README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rows import Rows, scores_away

from peers.peer import Prepare, Run
from peers.torch_module import encoder_weights


@dataclass(frozen=True)
class MxnetEncoder:
    """Rows of numbers through an encoder."""

    name = "MXNet"
    precision = "float32"
    packages = ("mxnet",)
    files = "mxnet-encoder"

    def convert(self, model: Path, folder: Path) -> None:
        """It reads the weights as they are."""

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Weights as MXNet's arrays; its threads are as many as there are processors."""
        import mxnet as mx

        config, arrays = encoder_weights(model)
        weights = {_plain(name): mx.nd.array(array) for name, array in arrays.items()}

        def prepare(given: Rows) -> Run:
            batch, length, width = given.x.shape
            inputs = {"x": mx.nd.array(given.x)}
            if given.padded:
                away = np.repeat(scores_away(given)[:, :, 0], config["nhead"], axis=1)
                inputs["away"] = mx.nd.array(away.reshape(batch * config["nhead"], 1, length))
            graph = _graph(mx.sym, config, (batch, length, width), given.padded)
            executor = graph.bind(mx.cpu(), {**weights, **inputs}, grad_req="null")
            run = lambda: executor.forward(is_train=False)[0].asnumpy()  # noqa: E731
            run()
            return run

        return prepare


def _plain(name: str) -> str:
    return name.replace(".", "_")


def _graph(sym: Any, config: dict[str, Any], shape: tuple[int, int, int], padded: bool) -> Any:
    batch, length, width = shape
    heads, wide = config["nhead"], config["dim_feedforward"]
    away = sym.var("away") if padded else None

    def linear(x: Any, name: str, columns: int) -> Any:
        weight, bias = sym.var(f"{name}weight"), sym.var(f"{name}bias")
        return sym.FullyConnected(x, weight, bias, num_hidden=columns, flatten=False)

    def norm(x: Any, name: str) -> Any:
        return sym.LayerNorm(x, sym.var(f"{name}_weight"), sym.var(f"{name}_bias"), eps=1e-5)

    def block(x: Any, name: str) -> Any:
        merged = linear(x, f"{name}_self_attn_in_proj_", 3 * width)
        split = sym.reshape(merged, (batch, length, 3, heads, width // heads))
        by_head = sym.reshape(
            sym.transpose(split, (2, 0, 3, 1, 4)), (3, batch * heads, length, width // heads)
        )
        q, k, v = (sym.squeeze(part, 0) for part in sym.split(by_head, 3, 0))
        scores = sym.batch_dot(q * (width // heads) ** -0.5, k, transpose_b=True)
        if away is not None:
            scores = sym.broadcast_add(scores, away)
        context = sym.reshape(
            sym.batch_dot(sym.softmax(scores), v), (batch, heads, length, width // heads)
        )
        beside = sym.reshape(sym.transpose(context, (0, 2, 1, 3)), shape)
        x = norm(x + linear(beside, f"{name}_self_attn_out_proj_", width), f"{name}_norm1")
        between = sym.LeakyReLU(linear(x, f"{name}_linear1_", wide), act_type="gelu")
        return norm(x + linear(between, f"{name}_linear2_", width), f"{name}_norm2")

    x = sym.var("x")
    for layer in range(config["num_layers"]):
        x = block(x, f"layers_{layer}")
    return x
