"""Plans in parts: equal to the whole, within the limit, results in files only where needed."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.backend import NullBackend, NumpyBackend
from gpudb.errors import MemoryBudgetError
from gpudb.exec.prepared import join_keys
from gpudb.exec.spilled import SpilledPlan, can_spill, plan_spilled
from gpudb.lower import lower
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, optimize
from gpudb.plan.tensor import Input, Map, Matmul, Reblock, Zip
from gpudb.types import HostArray, TensorSchema
from tests.tiny_plans import Arrays, compute

RANDOM = np.random.default_rng(0)
AMPLE = 1 << 40


def spilled(
    plan: Node, arrays: Arrays, limit: int, folder: Path, *, dense: bool = True
) -> SpilledPlan:
    joined = join_keys(lower(optimize(plan, RELATIONAL)), NumpyBackend(), arrays)
    return plan_spilled(joined, folder, limit, whole_nbytes=limit + 1, dense=dense)


def collect(plan: SpilledPlan) -> HostArray:
    return plan.dense()


def smallest(plan: Node, arrays: Arrays, folder: Path) -> int:
    """A limit the plan can keep, near the least one."""
    return spilled(plan, arrays, 0, folder).needed_nbytes


def chain(arrays: Arrays, extent: int = 13, block: tuple[int, int] = (3, 4)) -> Node:
    """Products, a sum that reads one result twice, a bias, functions that do not keep zero."""
    x = arrays.scan("x", RANDOM.standard_normal((extent, 9)), block)
    w = arrays.scan("w", RANDOM.standard_normal((9, 11)), (2, 5))
    v = arrays.scan("v", RANDOM.standard_normal((7, 11)), (4, 3))
    bias = arrays.scan("bias", RANDOM.standard_normal(11), (3,))
    hidden = Map(Zip(Matmul(x, w), bias, "add"), "exp")
    both = Zip(hidden, Map(hidden, "sigmoid"), "multiply")
    return Matmul(Reblock(both, (4, 4)), v, True)


@pytest.mark.parametrize("extent", [0, 1, 2, 3, 4, 13])
@pytest.mark.parametrize("dense", [True, False])
def test_a_chain_in_parts_equals_the_whole(extent: int, dense: bool, tmp_path: Path) -> None:
    arrays = Arrays()
    plan = chain(arrays, extent)
    expected = compute(plan, arrays)
    least = spilled(plan, arrays, 0, tmp_path, dense=dense).needed_nbytes
    for limit in (0, least, 2 * least, AMPLE):
        found = collect(spilled(plan, arrays, limit, tmp_path, dense=dense))
        # The inner sums are added in another order.
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert not list(tmp_path.iterdir())


def test_the_tighter_the_limit_the_more_parts_and_files(tmp_path: Path) -> None:
    arrays = Arrays()
    plan = chain(arrays, 40)
    least = smallest(plan, arrays, tmp_path)
    tight, ample = (spilled(plan, arrays, n, tmp_path) for n in (least, AMPLE))
    assert (tight.placement.mode, ample.placement.mode) == ("spilled", "streamed")
    assert tight.spilled_nbytes > 0 == ample.spilled_nbytes
    assert sum(len(s.parts) for s in tight.stages.values()) > len(tight.stages)
    assert all(len(s.parts) == 1 for s in ample.stages.values())
    assert tight.needed_nbytes <= least
    assert f"of {least:,} bytes" in tight.placement.note
    assert "in temporary files" in tight.placement.note
    assert "files" not in ample.placement.note


def test_what_does_not_fit_even_in_parts_is_refused_with_the_numbers(tmp_path: Path) -> None:
    arrays = Arrays()
    plan = chain(arrays)
    least = smallest(plan, arrays, tmp_path)
    spilled(plan, arrays, least, tmp_path).placement.check("a chain")
    refused = spilled(plan, arrays, least // 2, tmp_path)
    with pytest.raises(MemoryBudgetError, match=rf"limit is {least // 2:,}.*in parts"):
        refused.placement.check("a chain")


@settings(max_examples=150)
@given(data=st.data())
def test_any_blocks_present_or_missing(data: st.DataObject) -> None:
    def extent() -> int:
        return data.draw(st.integers(0, 6))

    def scan(name: str, *shape: int) -> Node:
        block = tuple(data.draw(st.integers(1, 7)) for _ in shape)
        values = RANDOM.standard_normal(shape)
        values[RANDOM.random(shape) < 0.6] = 0
        return arrays.scan(name, values, block, sparse=values.size > 0 and data.draw(st.booleans()))

    arrays = Arrays()
    n, k, m = extent(), extent(), extent()
    product = Matmul(scan("a", n, k), scan("b", k, m))
    plan: Node = Zip(product, scan("c", n, m), data.draw(st.sampled_from(["add", "subtract"])))
    plan = Zip(Map(plan, "exp"), scan("d", m), "multiply")
    if data.draw(st.booleans()):
        plan = Reblock(plan, (data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))))
    limit = data.draw(st.integers(0, 4000))
    expected = compute(plan, arrays, RELATIONAL)
    found = collect(spilled(plan, arrays, limit, Path(gettempdir())))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_stored_dtypes_are_widened_part_by_part(dtype: str, tmp_path: Path) -> None:
    arrays = Arrays()
    values = RANDOM.standard_normal((12, 5)).astype(np.float32)
    stored = (values.view(np.uint32) >> 16).astype(np.uint16) if dtype == "bfloat16" else values
    stored = stored if dtype == "bfloat16" else values.astype(dtype)
    x = arrays.scan("x", stored, (2, 5), dtype)
    plan = Zip(x, Map(x, "negative"), "subtract")
    limit = smallest(plan, arrays, tmp_path)
    np.testing.assert_array_equal(
        collect(spilled(plan, arrays, limit, tmp_path)), compute(plan, arrays)
    )


def test_special_values_survive_the_file(tmp_path: Path) -> None:
    arrays = Arrays()
    values = np.array([[np.nan, np.inf], [-np.inf, -0.0], [0.0, 5e-324]])
    x = arrays.scan("x", values, (1, 1))
    plan = Reblock(Map(Map(Reblock(x, (2, 1)), "negative"), "negative"), (1, 2))
    found = collect(spilled(plan, arrays, smallest(plan, arrays, tmp_path), tmp_path))
    np.testing.assert_array_equal(found.view(np.int64), values.view(np.int64))


def test_a_bare_scan_comes_in_parts(tmp_path: Path) -> None:
    arrays = Arrays()
    values = RANDOM.standard_normal((20, 3))
    plan = spilled(arrays.scan("x", values, (2, 3)), arrays, 1000, tmp_path)
    assert len(list(plan.blocks())) > 1
    np.testing.assert_array_equal(collect(plan), values)


def test_files_are_gone_when_a_run_is_left_early(tmp_path: Path) -> None:
    arrays = Arrays()
    plan = chain(arrays, 40)
    run = spilled(plan, arrays, smallest(plan, arrays, tmp_path), tmp_path).blocks()
    next(run)
    before = _open_files()
    run.close()
    assert _open_files() < before
    assert not list(tmp_path.iterdir())


def test_only_plans_over_stored_tensors_that_hold_numbers(tmp_path: Path) -> None:
    arrays = Arrays()
    x = arrays.scan("x", RANDOM.standard_normal((4, 4)), (2, 2))
    rows = Input(TensorSchema("rows", ("tokens", 4), ("tokens", 4)))
    for node, backend, expected in (
        (x, NumpyBackend(), True),
        (x, NullBackend(), False),
        (rows, NumpyBackend(), False),
    ):
        assert can_spill(join_keys(lower(Map(node, "exp")), backend, arrays)) == expected


@pytest.mark.parametrize("share", [1, 3], ids=["least", "more"])
def test_measured_stays_below_projected_and_above_half(share: int, tmp_path: Path) -> None:
    arrays = Arrays()
    x = arrays.scan("x", RANDOM.standard_normal((2048, 512)).astype(np.float32), (128, 512))
    w = arrays.scan("w", RANDOM.standard_normal((512, 1024)).astype(np.float32), (128, 256))
    hidden = Map(Matmul(x, w), "gelu")
    plan = Zip(hidden, Map(hidden, "negative"), "maximum")
    limit = share * spilled(plan, arrays, 0, tmp_path).needed_nbytes
    ready = spilled(plan, arrays, limit, tmp_path)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    found = collect(ready)
    measured = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert found.shape == (2048, 1024)
    assert ready.needed_nbytes <= limit
    small = 64 << 10  # Python's own objects: keys, row numbers, lists of parts
    assert measured <= ready.needed_nbytes + small
    assert ready.needed_nbytes <= 2 * measured


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
