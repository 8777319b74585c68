"""The two-block encoder with the weights of ``torch.nn.TransformerEncoder``."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import gpudb
from tests.oracles.conftest import Report

# Float32 on both sides, two to three layers, values of the order of 1 to 10 (no norm at the end of
# a pre-norm encoder); the order of summation differs.
LARGEST = 2e-5

SHAPES = {
    "ten tokens, width 64": (64, 8, 256, 2, [10]),
    "batch of ten tokens": (64, 4, 2048, 2, [10] * 8),
    "ragged": (64, 8, 100, 2, [1, 10, 15, 16, 17, 33, 1]),
    "odd width": (21, 3, 37, 3, [5, 2, 9]),
    "one token": (16, 1, 16, 1, [1]),
}
"""Name -> width, heads, feed-forward width, layers, lengths of the sequences."""


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True, but:UserWarning")
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_those_of_torch(
    shape: str, norm_first: bool, activation: str, tmp_path: Path, report: Report
) -> None:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    width, heads, wide, layers, lengths = SHAPES[shape]
    torch.manual_seed(len(shape))
    layer = torch.nn.TransformerEncoderLayer(
        width,
        heads,
        wide,
        dropout=0.1,
        activation=activation,
        norm_first=norm_first,
        batch_first=True,
    )
    final_norm = torch.nn.LayerNorm(width) if norm_first and shape == "ragged" else None
    encoder = torch.nn.TransformerEncoder(layer, layers, norm=final_norm).eval()
    for weight in encoder.parameters():  # the layers are copies of one; make them differ
        weight.data.add_(torch.randn_like(weight), alpha=0.1)

    config = {
        "model_type": "torch.nn.TransformerEncoder",
        "d_model": width,
        "nhead": heads,
        "num_layers": layers,
        "dim_feedforward": wide,
        "dropout": 0.1,
        "activation": activation,
        "norm_first": norm_first,
        "layer_norm_eps": 1e-5,
        "final_norm": final_norm is not None,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    safetensors.save_file(encoder.state_dict(), tmp_path / "model.safetensors")

    offsets = np.cumsum([0, *lengths])
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((offsets[-1], width)).astype(np.float32)
    with torch.no_grad():
        expected = [
            encoder(torch.tensor(rows[None, start:stop]))[0].numpy()
            for start, stop in pairwise(offsets)
        ]
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path, "encoder")
        ours, _ = db.infer("encoder", {"rows": rows}, offsets)
    difference = float(np.abs(ours - np.concatenate(expected)).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
