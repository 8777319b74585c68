"""Rules cut tensors again only where nobody above looks at the keys of their blocks."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.plan.cuts import cut_matters
from gpudb.plan.relational import Aggregate, FilterKeys, Project, Rekey
from gpudb.plan.reshape import Broadcast
from gpudb.plan.rules.align_blocks import align_blocks
from gpudb.plan.rules.coalesce_panels import coalesce_panels
from gpudb.plan.tensor import Gather, Map, Scan
from tests.tiny_plans import Arrays, kinds, nodes_of


def _panels() -> Scan:
    return Arrays().scan("x", np.ones((6, 4)), (2, 4))


LOOK = {
    "Aggregate": lambda x: Aggregate(x, (1,), "sum"),
    "Broadcast": lambda x: Broadcast(x, (2, 6, 4), (1, 2, 4)),
    "FilterKeys": lambda x: FilterKeys(x, ((0, ">", 0),)),
    "Project": lambda x: Project(x, ((0, 1),)),
    "Rekey": lambda x: Rekey(x, ((0, 2, 0), (1, 1, 0))),
}


@pytest.mark.parametrize("name", LOOK)
def test_panels_below_stay_panels(name: str) -> None:
    x = Map(_panels(), "exp")
    plan = LOOK[name](x)
    assert "Coalesce" not in kinds(coalesce_panels(plan))
    assert coalesce_panels(plan).schema == plan.schema
    assert "Coalesce" in kinds(coalesce_panels(x))


def test_what_a_step_cut_again_is_cut_back() -> None:
    arrays = Arrays()
    table = arrays.scan("t", np.ones((5, 4)), (5, 2))
    gathered = Gather(table, arrays.scan("rows", np.zeros(6, np.int32), (2,)))
    assert align_blocks(gathered).schema.block == (2, 4)
    plan = FilterKeys(gathered, ((1, "=", 1),))
    aligned = align_blocks(plan)
    assert aligned.schema == plan.schema
    assert [node.schema.block for node in nodes_of(aligned, Gather)] == [(2, 4)]


def test_only_what_is_below_counts() -> None:
    x = _panels()
    keys = FilterKeys(x, ())
    above = Map(keys, "exp")
    assert cut_matters(above) == {id(x)}
