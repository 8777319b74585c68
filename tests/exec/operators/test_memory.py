"""What an operator says it will hold, and what NumPy was asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gpudb.exec import chunks
from gpudb.exec.prepared import PreparedPlan
from gpudb.plan.elementwise import Cast, FilterElements, ZipScalar
from gpudb.plan.node import Node
from gpudb.plan.relational import Aggregate, Contract, FilterKeys, Join, Project, Rekey
from gpudb.plan.rules import NEEDED
from gpudb.plan.tensor import Map, Matmul, Zip
from tests.exec.operators.checks import measured_peak
from tests.tiny_plans import Arrays, prepared

SIDE, BLOCK = 384, 48
SLACK = 96 << 10
"""Row numbers, keys and Python's own objects."""

PLANS: dict[str, Callable[[Node, Node], Node]] = {
    "filter keys": lambda x, _: FilterKeys(Map(x, "abs"), ((0, ">", 1),)),
    "filter elements": lambda x, _: FilterElements(x, ">", 0.5),
    "zip scalar": lambda x, _: ZipScalar(x, "add", 1.0),
    "cast": lambda x, _: Cast(x, "float32"),
    "zip": lambda x, y: Zip(x, y, "add"),
    "zip along a row": lambda x, y: Join(x, Aggregate(y, (1,), "sum"), ((1, 1),), "multiply"),
    "matmul": lambda x, y: Matmul(x, y),
    "matmul transposed": lambda x, y: Matmul(x, y, True),
    "contract with a batch": lambda x, y: Contract(x, y, ((0, 0), (1, 1)), (1, 1)),
    "join": lambda x, y: Join(x, y, ((1, 0),), "matmul"),
    "sum": lambda x, _: Aggregate(x, (1,), "sum"),
    "mean": lambda x, _: Aggregate(x, (0,), "mean"),
    "max": lambda x, _: Aggregate(x, (1,), "max"),
    "argmax": lambda x, _: Aggregate(x, (1,), "argmax"),
    "count": lambda x, _: Aggregate(x, (1,), "count"),
    "project": lambda x, _: Project(Map(x, "abs"), ((0, 1),)),
    "rekey": lambda x, _: Rekey(Map(x, "abs"), ((1, 1, 0), (0, 1, 0))),
}


def _ready(name: str, sparse: bool) -> PreparedPlan:
    arrays = Arrays()
    x, y = np.random.default_rng(0).standard_normal((2, SIDE, SIDE))
    if sparse:
        x[:BLOCK] = x[:, 3 * BLOCK : 5 * BLOCK] = 0
        y[2 * BLOCK : 3 * BLOCK] = 0
    left = arrays.scan("x", x, (BLOCK, BLOCK), sparse=sparse)
    right = arrays.scan("y", y, (BLOCK, BLOCK), sparse=sparse)
    return prepared(PLANS[name](left, right), arrays, NEEDED)


@pytest.mark.parametrize("nbytes", [64 << 20, 512 << 10])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", PLANS)
def test_no_more_is_held_than_projected(
    monkeypatch: pytest.MonkeyPatch, name: str, sparse: bool, nbytes: int
) -> None:
    monkeypatch.setattr(chunks, "SCRATCH_NBYTES", nbytes)
    ready = _ready(name, sparse)
    projected, measured = ready.peak_nbytes({}), measured_peak(ready)
    assert measured <= projected + SLACK
    if not sparse:
        assert projected <= 2 * measured + SLACK
