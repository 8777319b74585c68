"""Encoders run block by block, as joins and aggregates over 16×16 blocks, against PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gpudb
from gpudb.exec.operators.contract_blocks import ContractBlocks
from tests.oracles.conftest import Report
from tests.oracles.texts import texts

pytestmark = pytest.mark.oracle

# Float32 on both sides in another order of summation; rows of layer-norms are of order 1.
LARGEST = 2e-5

BLOCK = 16

SHAPES = {
    "ten tokens, width 64": (64, 8, 256, [10]),
    "three sequences, width 256": (256, 8, 1024, [100, 97, 113]),
    "sequences of 128, width 256": (256, 8, 1024, [128, 128]),
    "odd width, blocks cut heads": (40, 5, 70, [17, 1, 33]),
}
"""Name -> width, heads, feed-forward width, lengths of the sequences; two layers each."""


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True, but:UserWarning")
@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_those_of_torch_and_of_the_fused_run(
    shape: str, norm_first: bool, tmp_path: Path, report: Report
) -> None:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    width, heads, wide, lengths = SHAPES[shape]
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(
        width, heads, wide, dropout=0.1, norm_first=norm_first, batch_first=True
    )
    encoder = torch.nn.TransformerEncoder(layer, 2).eval()
    for weight in encoder.parameters():  # the layers are copies of one; make them differ
        weight.data.add_(torch.randn_like(weight), alpha=0.05)
    config = {
        "model_type": "torch.nn.TransformerEncoder",
        "d_model": width,
        "nhead": heads,
        "num_layers": 2,
        "dim_feedforward": wide,
        "dropout": 0.1,
        "activation": "relu",
        "norm_first": norm_first,
        "layer_norm_eps": 1e-5,
        "final_norm": False,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    safetensors.save_file(encoder.state_dict(), tmp_path / "model.safetensors")

    offsets = np.cumsum([0, *lengths])
    rows = np.random.default_rng(0).standard_normal((offsets[-1], width)).astype(np.float32)
    with torch.no_grad():
        expected = np.concatenate(
            [encoder(torch.tensor(part[None]))[0].numpy() for part in np.split(rows, offsets[1:-1])]
        )
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path, "encoder")
        db.set(execution="fused")
        fused, _ = db.infer("encoder", {"rows": rows}, offsets)
        db.set(execution="relational", block_size=BLOCK)
        ours, stats = db.infer("encoder", {"rows": rows}, offsets)
    steps = [type(step.op).__name__ for step in stats.plan.steps]
    assert not {"SequenceAttention", "LinearGemm", "DenseGemm"} & set(steps)
    products = [s.op for s in stats.plan.steps if isinstance(s.op, ContractBlocks)]
    assert len(products) == 2 * 6  # four projections and the feed-forward net of each layer
    for product in products:
        for side in (product, *product.children):
            assert all(b <= BLOCK for b in side.out.block if isinstance(b, int)), side.out
    to_torch = float(np.abs(ours - expected).max())
    to_fused = float(np.abs(ours - fused).max())
    report(f"to torch {to_torch:.1e}, to the fused run {to_fused:.1e}")
    assert ours.shape == expected.shape
    assert to_torch <= LARGEST
    assert to_fused <= LARGEST


def test_minilm_in_blocks_is_that_of_transformers(minilm_folder: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    column = texts(30)
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_folder)
    model = transformers.AutoModel.from_pretrained(minilm_folder, dtype=torch.float32).eval()
    theirs = []
    with torch.inference_mode():
        for text in column:
            encoded = tokenizer(text, truncation=True, max_length=256, return_tensors="pt")
            pooled = model(**encoded).last_hidden_state.mean(1)
            theirs.append(torch.nn.functional.normalize(pooled, dim=1)[0].numpy())
    with gpudb.connect(device="numpy") as db:
        db.import_model(minilm_folder, "minilm")
        db.set(execution="relational", block_size=BLOCK)
        result = db.embed("minilm", column)
    names = [type(step.op).__name__ for step in result.stats.plan.steps]
    assert names.count("SequenceSoftmaxBlocks") == 6
    assert result.stats.padded_tokens == 0
    difference = float(np.abs(result.numpy("embedding") - np.stack(theirs)).max())
    report(f"{len(column)} texts in {BLOCK}×{BLOCK} blocks: {difference:.1e}")
    assert difference <= LARGEST
