"""A model on device ``jit`` is walked once for each thread; other batches repeat what was noted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.exec.prepared import PreparedPlan
from gpudb.models import limits
from tests.tiny_model import write_tiny_model


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device="jit", threads=2) as database:
        database.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        yield database


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each plan that is run step by step."""
    found: list[int] = []
    run = PreparedPlan.run

    def counted(self: PreparedPlan, *args: Any, **kwargs: Any) -> Any:
        found.append(len(self.steps))
        return run(self, *args, **kwargs)

    monkeypatch.setattr(PreparedPlan, "run", counted)
    return found


def test_a_model_is_walked_once(db: gpudb.Database, runs: list[int]) -> None:
    first = db.embed("tiny", ["a red fox"]).numpy("embedding")
    assert len(runs) == 1
    np.testing.assert_array_equal(db.embed("tiny", ["a red fox"]).numpy("embedding"), first)
    texts = ["the house", "a red fox", "a", "the red house"]
    many = db.embed("tiny", texts)
    np.testing.assert_array_equal(many.numpy("embedding")[1], first[0])
    before = len(runs)
    assert before <= 2  # one for each thread
    again = db.embed("tiny", texts[::-1])
    np.testing.assert_array_equal(again.numpy("embedding")[::-1], many.numpy("embedding"))
    assert len(runs) <= 2
    counted = (sum(run["tokens"] for run in r.stats.profile.runs) for r in (many, again))
    assert next(counted) == next(counted) == many.stats.tokens


@pytest.mark.parametrize("least", [1, 1 << 60])
def test_a_batch_by_itself_is_shared_where_it_is_worth_it(
    db: gpudb.Database, monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    alone = db.embed("tiny", ["a red fox", "the house"])
    monkeypatch.setattr(limits, "LEAST_SHARED_FLOPS", least)
    found = db.embed("tiny", ["a red fox", "the house"])
    assert (alone.stats.batches, alone.stats.shared) == (1, 1)
    assert (found.stats.batches, found.stats.shared) == (1, 2 if least == 1 else 1)
    np.testing.assert_array_equal(found.numpy("embedding"), alone.numpy("embedding"))
    explained = db.sql("EXPLAIN ANALYZE SELECT embed('tiny', 'a red fox')").plan_text
    assert ("on 2 threads, shared by 2;" in explained) == (least == 1)


@pytest.mark.parametrize("most", [0, 1 << 60])
def test_small_batches_are_shared_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setenv("GPUDB_TOKEN_BUDGET", "10")
    monkeypatch.setattr(limits, "LEAST_SHARED_FLOPS", 1)
    column = [f"{'fox ' * (number % 5)}red {number}" for number in range(12)]
    with gpudb.connect(tmp_path / "db", device="jit", threads=2) as database:
        database.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        apart = database.embed("tiny", column)
        monkeypatch.setattr(limits, "MOST_SHARED_FLOPS", most)
        found = database.embed("tiny", column)
    assert found.stats.batches > 2
    assert found.stats.shared == (1 if most == 0 else 2)
    np.testing.assert_array_equal(found.numpy("embedding"), apart.numpy("embedding"))
    running = 2 if most == 0 else 1
    held = found.stats.peak_nbytes - found.stats.resident_nbytes
    assert held == running * found.stats.profile.peak_nbytes


@pytest.mark.parametrize(
    ("batches", "flops", "precision", "shared"),
    [
        (1, 10**7 - 1, "float32", False),
        (1, 10**12, "int8", True),
        (2, 10**7 - 1, "float32", False),
        (2, 10**9, "float32", True),
        (2, 10**9, "bfloat16", False),
        (2, 10**10, "float32", False),
    ],
)
def test_what_is_shared(batches: int, flops: int, precision: str, shared: bool) -> None:
    jit = limits.Limits(2, 512, 1 << 30, shares_batches=True)
    assert jit.shares(batches, flops, precision) == shared
    other = limits.Limits(2, 512, 1 << 30)
    assert other.shares(batches, flops, None) == (shared and batches == 1)


def test_a_timed_run_walks(db: gpudb.Database, runs: list[int]) -> None:
    plain = db.embed("tiny", ["a red fox"]).numpy("embedding")
    db.set(profile=True)
    timed = db.embed("tiny", ["a red fox"])
    assert len(runs) == 2
    np.testing.assert_array_equal(timed.numpy("embedding"), plain)


@pytest.mark.parametrize("texts", range(1, 12))
def test_cutting_a_column_evenly_is_not_the_limits_doing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: int
) -> None:
    monkeypatch.setenv("GPUDB_TOKEN_BUDGET", "10")
    column = [f"{'fox ' * (number % 5)}red {number}" for number in range(texts)]
    rows = ", ".join(f"('{text}')" for text in column)
    with gpudb.connect(tmp_path / "db", device="jit", threads=2) as database:
        database.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        assert database.embed("tiny", column).stats.token_budget <= 10
        statement = f"SELECT embed('tiny', t) FROM (VALUES {rows}) x(t)"
        assert "memory_limit" not in database.sql(f"EXPLAIN ANALYZE {statement}").plan_text
