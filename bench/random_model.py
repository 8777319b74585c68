"""Models of any size with random weights, and distinct texts for them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

sys.path.append(str(Path(__file__).parents[1]))
from tests.tiny_model import WORDS, tiny_weights, write_tiny_model

VOCABULARY = 2000


def write_model(folder: Path, *, width: int, layers: int, longest: int, seed: int = 0) -> Path:
    """A BERT with heads of 32 (of 8 below 32) and a feed-forward part four times as wide."""
    config = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // (32 if width % 32 == 0 else 8),
        "vocab_size": VOCABULARY,
        "max_position_embeddings": longest,
    }
    write_tiny_model(folder, seed, **config)
    # Of a size that keeps sums of any width near 1.
    scale = 4 / np.sqrt(width, dtype=np.float32)
    scaled = {name: x * scale for name, x in tiny_weights(seed, **config).items()}
    save_file(scaled, folder / "model.safetensors")
    return folder


def distinct_texts(count: int, tokens: int) -> list[str]:
    """Texts that tokenise to so many tokens each, [CLS] and [SEP] included; none twice."""
    random = np.random.default_rng(tokens)
    made = len(WORDS)
    drawn = random.integers(made, VOCABULARY, (count, tokens - 2))
    # The first words count, so that texts differ.
    number = np.arange(count)
    drawn[:, 0] = made + number % (VOCABULARY - made)
    drawn[:, 1] = made + number // (VOCABULARY - made)
    return [" ".join(f"w{word}" for word in row) for row in drawn]
