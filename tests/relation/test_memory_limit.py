"""Expressions over tensors that are together larger than memory_limit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gpudb
from gpudb.errors import MemoryBudgetError

SIDE = 256
SQUARE = SIDE * SIDE * 8
TENSORS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tensors") / "db"
    random = np.random.default_rng(0)
    with gpudb.connect(path, device="numpy") as db:
        for number in range(TENSORS):
            db.create_tensor(f"x{number}", random.standard_normal((SIDE, SIDE)), block=(32, SIDE))
    return path


def _sum(db: gpudb.Database) -> object:
    total = db.tensor("x0") * 2.0
    for number in range(1, TENSORS):
        total = total + db.tensor(f"x{number}")
    return total


def test_an_expression_streams_what_it_reads(folder: Path) -> None:
    with gpudb.connect(folder, device="numpy") as db:
        expected = _sum(db).collect()
    with gpudb.connect(folder, device="numpy", memory_limit=8 * SQUARE) as db:
        total = _sum(db)
        assert np.array_equal(total.collect(), expected)
        assert f"of {8 * SQUARE:,} bytes" in str(total.explain())
        assert "streamed: " in str(total.explain(analyze=True))


def test_results_that_do_not_fit_are_refused_with_both_numbers(folder: Path) -> None:
    with (
        gpudb.connect(folder, device="numpy", memory_limit=SQUARE) as db,
        pytest.raises(MemoryBudgetError, match=rf"needs [\d,]+ bytes, memory_limit is {SQUARE:,}"),
    ):
        _sum(db).collect()


def test_kept_plans_make_room_for_each_other(folder: Path) -> None:
    with gpudb.connect(folder, device="numpy", memory_limit=9 * SQUARE) as db:
        for first in range(0, TENSORS, 2):
            a, b = db.tensor(f"x{first}"), db.tensor(f"x{first + 1}")
            (a + b).collect()
            kept = sum(plan.resident_nbytes for plan in db._engine._prepared.values())
            assert kept <= 9 * SQUARE
        assert 1 <= len(db._engine._prepared) < TENSORS // 2
