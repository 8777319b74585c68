"""Random chains of steps that move or combine elements equal dense NumPy in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpudb.kernels import rows
from gpudb.plan.node import Node
from gpudb.plan.rules import NEEDED, RULES
from tests.exec.against_dense import check
from tests.exec.shape_chains import STEPS, STEPS_WITH_ARRAYS, new_scan, new_shape
from tests.tiny_plans import Arrays


@pytest.fixture(scope="module", autouse=True)
def small_pieces() -> Iterator[None]:
    """Kernels go over even these blocks in several pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "PIECE_NBYTES", 64)
        yield


@st.composite
def chains(draw: Any) -> tuple[Node, Arrays]:
    """A plan of up to five steps, and the arrays it reads."""
    arrays = Arrays()
    node: Node = new_scan(draw, arrays, new_shape(draw))
    for _ in range(draw(st.integers(1, 5))):
        number = draw(st.integers(0, len(STEPS) + len(STEPS_WITH_ARRAYS) - 1))
        if number < len(STEPS):
            node = STEPS[number](draw, node) or node
        else:
            node = STEPS_WITH_ARRAYS[number - len(STEPS)](draw, node, arrays) or node
    return node, arrays


@settings(
    max_examples=1000,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(chains(), st.sampled_from([RULES, NEEDED]))
def test_any_chain_equals_dense_numpy(case: tuple[Node, Arrays], rules: Any) -> None:
    plan, arrays = case
    check(plan, arrays, rules)
