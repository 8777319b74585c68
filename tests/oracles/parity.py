"""Hidden states of random models that transformers wrote, beside those that it computes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import gpudb
from gpudb.models.patches import Patches
from tests.oracles.conftest import Report

# Hidden states are of the order of 1. Both sides round the same stored weights (half types are
# widened exactly) and compute in float32, in another order.
LARGEST = 1e-4


def randomized(model: Any, seed: int, size: float = 0.2) -> Any:
    """The model, with noise on what starts as zeros and ones: these would hide a mistake."""
    import torch

    torch.manual_seed(seed)
    for name, weight in model.named_parameters():
        if "bias" in name or "norm" in name.lower():
            weight.data.add_(torch.randn_like(weight), alpha=size)
    return model.eval()


def compare_hidden(
    tmp_path: Path,
    model: Any,
    *,
    lengths: tuple[int, ...],
    report: Report,
    encoder: Any = None,
    dtype: str = "float32",
    block: tuple[int, int] | None = None,
    first_id: int = 0,
    types: int = 0,
    device: str = "numpy",
) -> None:
    """Write ``model``, import it, and compare the hidden states of random ragged sequences.

    Parameters
    ----------
    encoder
        The part of ``model`` that gives hidden states; itself unless it has a head.
    dtype
        Of the stored weights.
    first_id
        Ids below are not drawn: padding means something else to transformers.
    types
        Number of token types; 0 for a model without.
    """
    import torch

    # Not model.to(): buffers are in no file, and would keep what they lose (rotary frequencies).
    for weight in model.parameters():
        weight.data = weight.data.to(getattr(torch, dtype))
    model.save_pretrained(tmp_path / "model")
    theirs = (model if encoder is None else encoder).float().eval()
    rng = np.random.default_rng(len(lengths))
    offsets = np.cumsum([0, *lengths])
    inputs = {"token_ids": rng.integers(first_id, theirs.config.vocab_size, offsets[-1])}
    if types:
        inputs["type_ids"] = rng.integers(0, types, offsets[-1])
    names = {"token_ids": "input_ids", "type_ids": "token_type_ids"}
    expected = []
    with torch.inference_mode():
        for start, stop in pairwise(offsets):
            one = {names[n]: torch.tensor(x[None, start:stop]) for n, x in inputs.items()}
            expected.append(theirs(**one).last_hidden_state[0].numpy())
    with gpudb.connect(tmp_path / "db", device=device) as db:
        db.import_model(tmp_path / "model", "m", block=block)
        found, statistics = db.infer("m", inputs, offsets)
    assert statistics.padded_tokens == 0
    difference = float(np.abs(found - np.concatenate(expected)).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST


def compare_images(
    tmp_path: Path, model: Any, *, report: Report, encoder: Any = None, dtype: str = "float32"
) -> None:
    """As :func:`compare_hidden`, of three images of random pixels."""
    import torch

    model.to(getattr(torch, dtype)).save_pretrained(tmp_path / "model")
    theirs, config = (encoder or model).float().eval(), model.config
    shape = (3, config.num_channels, config.image_size, config.image_size)
    pixels = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    with torch.inference_mode():
        expected = theirs(torch.tensor(pixels)).last_hidden_state.numpy()
    cut = Patches.of(config.to_dict()).cut
    rows = np.concatenate([cut(image) for image in pixels])
    offsets = np.arange(len(pixels) + 1) * expected.shape[1]
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path / "model", "m")
        found, _ = db.infer("m", {"rows": rows}, offsets)
    difference = float(np.abs(found - expected.reshape(found.shape)).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
