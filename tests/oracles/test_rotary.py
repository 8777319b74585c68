"""Rotary positions against those of transformers: halves, neighbours, parts, far positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.kernels.rotary import frequencies, rotary
from tests.oracles.conftest import Report

pytestmark = pytest.mark.oracle

# Both round the same angles; sines and cosines differ in the last place.
LARGEST = 1e-6
HEADS = 3
POSITIONS = [0, 1, 2, 511, 512, 8191, 30_000]


def rows(width: int) -> Any:
    shape = (len(POSITIONS), HEADS, width)
    return np.random.default_rng(width).standard_normal(shape).astype(np.float32)


def turned(x: Any, base: float, part: int, interleaved: bool) -> Any:
    flat = x.reshape(len(x), -1)
    found = rotary.reference(flat, np.array(POSITIONS), HEADS, base, part, interleaved)
    return found.reshape(x.shape)


def default_frequencies(base: float, width: int) -> Any:
    """Those of an encoder of transformers whose heads are so wide."""
    from transformers import NomicBertConfig
    from transformers.models.nomic_bert.modeling_nomic_bert import NomicBertRotaryEmbedding

    parameters = {"rope_type": "default", "rope_theta": base}
    config = NomicBertConfig(head_dim=width, rope_parameters=parameters)
    return NomicBertRotaryEmbedding.compute_default_rope_parameters(config)[0]


@pytest.mark.parametrize("base", [1000.0, 10_000.0, 20_000.0, 160_000.0, 500_000.0])
def test_frequencies_have_the_same_bits_but_the_last(base: float) -> None:
    # PyTorch's powers are off by one in the last place here and there, and ours are rounded right.
    pytest.importorskip("transformers")
    for width in (2, 4, 6, 16, 24, 32, 48, 64, 80, 96, 128, 256):
        theirs = default_frequencies(base, width).numpy()
        np.testing.assert_array_max_ulp(frequencies(base, width), theirs, maxulp=2)


@pytest.mark.parametrize("base", [1000.0, 160_000.0])
@pytest.mark.parametrize(("width", "part"), [(2, 2), (6, 6), (64, 64), (64, 16), (9, 4)])
def test_halves(width: int, part: int, base: float, report: Report) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb

    angles = torch.tensor(POSITIONS)[:, None].float() * default_frequencies(base, part)
    both = torch.cat((angles, angles), dim=-1)
    x = torch.tensor(rows(width)[None]).transpose(1, 2)
    theirs, _ = apply_rotary_pos_emb(x, x, both.cos()[None], both.sin()[None])
    ours = turned(rows(width), base, part, False)
    difference = float(np.abs(ours - theirs[0].transpose(0, 1).numpy()).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST


@pytest.mark.parametrize("width", [2, 6, 64])
def test_neighbours(width: int, report: Report) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb

    angles = torch.tensor(POSITIONS)[:, None].float() * default_frequencies(10_000.0, width)
    x = torch.tensor(rows(width))[None]
    theirs = apply_rotary_pos_emb(x, angles.sin()[None], angles.cos()[None])[0].numpy()
    difference = float(np.abs(turned(rows(width), 10_000.0, width, True) - theirs).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
