"""Precision is a setting of a session: of models, by connection, by statement, or by call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import gpudb
from gpudb.backend.jit.target import TARGET
from gpudb.errors import DeviceError, InputError, UnsupportedError
from tests.tiny_model import write_tiny_model

TEXTS = ["a cat", "the dog sat on the mat", ""]
NEEDS = {"bfloat16": TARGET.bfloat16, "int8": TARGET.int8}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device="jit") as found:
        found.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        yield found


def _cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray((x * y).sum(axis=1))


@pytest.mark.parametrize("precision", list(NEEDS))
def test_a_statement_changes_it_and_changes_it_back(db: gpudb.Database, precision: str) -> None:
    if not NEEDS[precision]:
        pytest.skip(f"this processor ({TARGET.name}) does not multiply {precision}")
    query = "SELECT embed('tiny', unnest($texts)) AS e"
    exact = db.sql(query, {"texts": TEXTS}).numpy("e")
    db.sql(f"SET precision = '{precision}'")
    rounded = db.sql(query, {"texts": TEXTS})
    assert f"products in {precision}" in rounded.plan_text
    found = rounded.numpy("e")
    assert not np.array_equal(found, exact)
    assert (_cosines(found, exact) > 0.995).all()
    db.set(precision="float32")
    np.testing.assert_array_equal(db.sql(query, {"texts": TEXTS}).numpy("e"), exact)


@pytest.mark.parametrize("precision", ["float16", "half"])
def test_what_the_device_lacks_is_refused_and_nothing_changes(
    db: gpudb.Database, precision: str
) -> None:
    with pytest.raises(DeviceError, match=precision):
        db.set(precision=precision)
    assert db.settings.precision == "float32"
    assert db.embed("tiny", TEXTS).rows == 3


def test_blocks_are_not_multiplied_in_another_precision_than_asked_for(db: gpudb.Database) -> None:
    if not TARGET.bfloat16:
        pytest.skip(f"this processor ({TARGET.name}) does not multiply bfloat16")
    db.set(precision="bfloat16", execution="relational")
    with pytest.raises(UnsupportedError, match="blocks in float32, the precision is 'bfloat16'"):
        db.embed("tiny", TEXTS)


def test_a_connection_starts_with_it(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="needs device='cuda'"):
        gpudb.connect(device="numpy", precision="bfloat16")
    if TARGET.bfloat16:
        with gpudb.connect(device="jit", precision="bfloat16") as found:
            assert found.settings.precision == "bfloat16"
            with pytest.raises(InputError, match="no setting colour"):
                found.set(colour=1)
