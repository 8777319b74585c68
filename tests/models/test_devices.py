"""Encoders of every architecture on both devices of the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gpudb
from gpudb.models.architectures import ARCHITECTURES
from tests.tiny_encoders import ENCODERS, batch, write_encoder

BATCHES = ([5, 3, 8], [1], [7, 0, 1])


def test_every_architecture_is_among_them() -> None:
    modules = {module.__name__.rpartition(".")[2] for module, _, _ in ENCODERS.values()}
    assert modules == {architecture.name for architecture in ARCHITECTURES}


@pytest.mark.parametrize("name", ENCODERS)
def test_jit_gives_the_hidden_states_of_numpy(name: str, tmp_path: Path) -> None:
    write_encoder(name, tmp_path)
    batches = [batch(name, lengths, seed) for seed, lengths in enumerate(BATCHES)]
    found = {}
    for device in ("numpy", "jit"):
        with gpudb.connect(tmp_path / "db", device=device) as db:
            if device == "numpy":
                db.import_model(tmp_path, "m")
            found[device] = [db.infer("m", *each)[0] for each in batches]
    for ours, theirs in zip(found["jit"], found["numpy"], strict=True):
        # Sums in another order, over values of the order of one.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
