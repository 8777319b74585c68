"""TensorFlow: the encoder as a ``tf.function``, with and without XLA."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rows import Rows, scores_away

from peers.peer import Prepare, Run
from peers.torch_module import encoder_weights


@dataclass(frozen=True)
class TensorFlowEncoder:
    """Rows of numbers through an encoder."""

    xla: bool = True
    precision = "float32"
    packages = ("tensorflow-cpu",)

    @property
    def name(self) -> str:
        """What tables call it."""
        return "TensorFlow XLA" if self.xla else "TensorFlow function"

    @property
    def files(self) -> str:
        """Nothing is written, apart from a log."""
        return self.name.replace(" ", "-")

    def convert(self, model: Path, folder: Path) -> None:
        """It reads the weights as they are."""

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Weights as constants of the graph."""
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        config, w = encoder_weights(model)
        heads = config["nhead"]

        def norm(x: Any, name: str) -> Any:
            mean, variance = tf.nn.moments(x, [-1], keepdims=True)
            return (x - mean) * tf.math.rsqrt(variance + 1e-5) * w[f"{name}.weight"] + w[
                f"{name}.bias"
            ]

        def linear(x: Any, name: str, dot: str = ".") -> Any:
            weight = np.ascontiguousarray(w[f"{name}{dot}weight"].T)
            rows = tf.reshape(x, (-1, weight.shape[0]))
            product = tf.nn.bias_add(rows @ weight, w[f"{name}{dot}bias"])
            return tf.reshape(product, (*x.shape[:-1], weight.shape[1]))

        def block(x: Any, away: Any, name: str) -> Any:
            batch, length, width = x.shape
            shape = (batch, length, 3, heads, width // heads)
            merged = tf.reshape(linear(x, f"{name}.self_attn.in_proj", "_"), shape)
            q, k, v = tf.unstack(tf.transpose(merged, (2, 0, 3, 1, 4)))
            scores = tf.matmul(q, k, transpose_b=True) * (width // heads) ** -0.5
            if away is not None:
                scores += away
            context = tf.transpose(tf.nn.softmax(scores) @ v, (0, 2, 1, 3))
            attended = linear(tf.reshape(context, x.shape), f"{name}.self_attn.out_proj")
            x = norm(x + attended, f"{name}.norm1")
            wide = tf.nn.gelu(linear(x, f"{name}.linear1"), approximate=False)
            return norm(x + linear(wide, f"{name}.linear2"), f"{name}.norm2")

        @tf.function(jit_compile=self.xla)
        def encode(x: Any, away: Any) -> Any:
            for layer in range(config["num_layers"]):
                x = block(x, away, f"layers.{layer}")
            return x

        def prepare(given: Rows) -> Run:
            rows = tf.constant(given.x)
            away = tf.constant(scores_away(given)) if given.padded else None
            run = lambda: encode(rows, away).numpy()  # noqa: E731
            run()
            return run

        return prepare
