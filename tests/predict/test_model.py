"""Seconds of a launch, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.errors import InputError, UnsupportedError
from gpudb.exec.operator import Launch
from gpudb.predict import GPUS, PRECISIONS, Gpu, Setting, find_gpu
from gpudb.predict.model import (
    BANDWIDTH_SHARE,
    CORE_SHARE,
    GRAPH_START,
    HOST_LAUNCH,
    STREAM_START,
    TILES,
    host_seconds,
    least_seconds,
    product_seconds,
    start_seconds,
    work_seconds,
)

ROUND = Gpu("round", 1e9, 1e9, 10, 1e10, {"float16": 1e12}, 0.5)
"""A GPU with ten multiprocessors, each of 5e10 sustained operations a second in float16."""
SETTING = Setting(ROUND, "float16")


def test_a_kernel_that_moves_takes_as_long_as_its_bytes() -> None:
    assert work_seconds(Launch("", 10, 600, 250), SETTING) == pytest.approx(
        850 / (1e9 * BANDWIDTH_SHARE)
    )


def test_a_kernel_that_computes_takes_as_long_as_its_operations() -> None:
    found = work_seconds(Launch("", 10**9, 600, 250), SETTING)
    assert found == pytest.approx(1e9 / (1e10 * CORE_SHARE))


@pytest.mark.parametrize(
    ("product", "waves"),
    [((256, 1280, 7), 1), ((257, 1280, 7), 2), ((2560, 128, 7), 1), ((2560, 129, 7), 2)],
)
def test_a_product_takes_as_long_as_its_waves(
    product: tuple[int, int, int], waves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpudb.predict.model.TILES", TILES[:1])
    one_tile = 2 * 256 * 128 * 7 / (1e12 * 0.5 / 10)
    assert product_seconds(product, SETTING) == pytest.approx(waves * one_tile)


def test_the_tile_that_suits_best_counts() -> None:
    small = 2 * 64 * 64 * 100 / (1e12 * 0.5 / 10 * TILES[-1][2])
    assert product_seconds((1, 64 * 10, 100), SETTING) == pytest.approx(small)
    assert product_seconds((0, 64, 100), SETTING) == 0


def test_a_product_of_few_rows_is_bound_by_its_weights() -> None:
    launch = Launch("", 2 * 1 * 64 * 10, 10**9, 64, (1, 64, 10))
    assert work_seconds(launch, SETTING) == pytest.approx((10**9 + 64) / (1e9 * BANDWIDTH_SHARE))


def test_the_roofline_takes_the_rates_of_the_data_sheet() -> None:
    launches = (Launch("", 2 * 10**12, 1, 1, (10**4, 10**4, 10**4)), Launch("", 10**10, 1, 1))
    assert least_seconds(launches, 10, SETTING) == pytest.approx(2 + 1)
    assert least_seconds(launches, 4 * 10**9, SETTING) == pytest.approx(4)


def test_a_graph_costs_less_to_start_and_the_host_nothing() -> None:
    single = replace(SETTING, graph=False)
    assert start_seconds(SETTING) == GRAPH_START < start_seconds(single) == STREAM_START
    assert host_seconds(7, SETTING) == 0
    assert host_seconds(7, single) == pytest.approx(7 * HOST_LAUNCH)


extents = st.integers(0, 5000)
launches = st.one_of(
    st.builds(lambda f, r, w: Launch("", f, r, w), *[st.integers(0, 10**12)] * 3),
    st.builds(
        lambda m, n, k: Launch("", 2 * m * n * k, m * k + n * k, m * n, (m, n, k)),
        extents, extents, extents,
    ),
)  # fmt: skip
more = st.floats(1, 3)


@given(launches, st.sampled_from(list(GPUS.values())), more, more, more, st.integers(0, 50))
def test_a_gpu_that_is_better_in_everything_is_never_slower(
    launch: Launch, gpu: Gpu, bandwidth: float, rate: float, sustained: float, added: int
) -> None:
    count = gpu.multiprocessors + added
    rate *= count / gpu.multiprocessors  # no multiprocessor is slower either
    better = replace(
        gpu,
        bandwidth=gpu.bandwidth * bandwidth,
        multiprocessors=count,
        float32=gpu.float32 * rate,
        tensor={name: rate * old for name, old in gpu.tensor.items()},
        sustained=min(1, gpu.sustained * sustained),
    )
    for precision in ("float32", "float16"):
        slow = work_seconds(launch, Setting(gpu, precision))
        assert work_seconds(launch, Setting(better, precision)) <= slow * (1 + 1e-12)


@given(extents, extents, extents, st.integers(0, 500))
def test_more_rows_never_take_less_time(rows: int, columns: int, inner: int, added: int) -> None:
    setting = Setting(GPUS["a100-80gb"], "float16")
    few = product_seconds((rows, columns, inner), setting)
    assert few <= product_seconds((rows + added, columns, inner), setting)


def test_data_sheets_agree_with_each_other() -> None:
    for name, gpu in GPUS.items():
        assert name == gpu.name == find_gpu(name).name
        assert 0 < gpu.sustained < 1
        half = gpu.product_rate("float16")
        # On every one of them a tensor core does at least four times what the others do.
        assert half >= 3.9 * gpu.float32
        if "tf32" in gpu.tensor:
            assert gpu.product_rate("bfloat16") == half
            assert gpu.product_rate("tf32") == pytest.approx(half / 2, rel=0.01)


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"'b300'.*a100-80gb"):
        find_gpu("b300")
    with pytest.raises(UnsupportedError, match=r"t4 has no .*bfloat16"):
        GPUS["t4"].product_rate("bfloat16")
    for precision in ("fp16", ""):
        with pytest.raises(InputError, match=PRECISIONS[0]):
            GPUS["t4"].product_rate(precision)
