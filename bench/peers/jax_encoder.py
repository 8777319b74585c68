"""JAX: the encoder as a function, compiled for each shape."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rows import Rows

from peers.peer import Prepare, Run
from peers.torch_module import encoder_weights


@dataclass(frozen=True)
class JaxEncoder:
    """Rows of numbers through an encoder."""

    name = "JAX jit"
    precision = "float32"
    packages = ("jax",)
    files = "jax-encoder"

    def convert(self, model: Path, folder: Path) -> None:
        """It reads the weights as they are."""

    def load(self, model: Path, folder: Path, threads: int) -> Prepare:
        """Weights as JAX's arrays; its threads are as many as there are processors."""
        import jax
        import jax.numpy as jnp

        config, arrays = encoder_weights(model)
        weights = {name: jnp.asarray(array) for name, array in arrays.items()}
        heads = config["nhead"]

        def norm(w: dict, x: jax.Array, name: str) -> jax.Array:
            centred = x - x.mean(-1, keepdims=True)
            scale = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
            return centred * scale * w[f"{name}.weight"] + w[f"{name}.bias"]

        def linear(w: dict, x: jax.Array, name: str, dot: str = ".") -> jax.Array:
            return x @ w[f"{name}{dot}weight"].T + w[f"{name}{dot}bias"]

        def block(w: dict, x: jax.Array, keys: jax.Array | None, name: str) -> jax.Array:
            batch, length, width = x.shape
            merged = linear(w, x, f"{name}.self_attn.in_proj", "_")
            q, k, v = jnp.split(merged.reshape(batch, length, 3 * heads, width // heads), 3, 2)
            context = jax.nn.dot_product_attention(q, k, v, mask=keys).reshape(x.shape)
            x = norm(w, x + linear(w, context, f"{name}.self_attn.out_proj"), f"{name}.norm1")
            wide = jax.nn.gelu(linear(w, x, f"{name}.linear1"), approximate=False)
            return norm(w, x + linear(w, wide, f"{name}.linear2"), f"{name}.norm2")

        @jax.jit
        def encode(w: dict, x: jax.Array, keys: jax.Array | None) -> jax.Array:
            for layer in range(config["num_layers"]):
                x = block(w, x, keys, f"layers.{layer}")
            return x

        def prepare(given: Rows) -> Run:
            keys = given.present[:, None, None] if given.padded else None
            run = lambda: np.asarray(encode(weights, given.x, keys))  # noqa: E731
            run()
            return run

        return prepare
