"""A result as other libraries take it over: same numbers, and the same memory where promised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gpudb
from gpudb.errors import DeviceError
from gpudb.relation.device_tensor import DeviceTensor

X = np.arange(35, dtype=np.float32).reshape(5, 7)


@pytest.fixture(params=[(5, 7), (2, 3)], ids=["one block", "cut"])
def result(request: pytest.FixtureRequest) -> DeviceTensor:
    with gpudb.connect(device="numpy") as db:
        return (db.create_tensor("x", X, block=request.param) * 2).on_device()


def test_every_door_gives_the_same_numbers(result: DeviceTensor, tmp_path: Path) -> None:
    np.testing.assert_array_equal(result.numpy(), X * 2)
    np.testing.assert_array_equal(np.from_dlpack(result), X * 2)
    table = result.arrow()
    result.parquet(tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet").equals(table)
    (batch,) = table.combine_chunks().to_batches()
    imported = pa.RecordBatch._import_from_c_device_capsule(*result.__arrow_c_device_array__())
    assert imported.equals(batch)


def test_one_block_is_not_copied() -> None:
    with gpudb.connect(device="numpy") as db:
        result = (db.create_tensor("x", X, block=(5, 7)) * 2).on_device()
    assert np.shares_memory(np.from_dlpack(result), result.batch.data)


def test_missing_blocks_are_zeros() -> None:
    x = np.zeros((4, 4), np.float32)
    x[:2, 2:] = 3
    with gpudb.connect(device="numpy") as db:
        db.create_tensor("x", x, block=(2, 2), sparse=True)
        result = db.tensor("x").on_device()
    assert len(result.batch.keys) == 1
    np.testing.assert_array_equal(result.array, x)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1)])
def test_extents_of_zero_and_one(shape: tuple[int, int]) -> None:
    with gpudb.connect(device="numpy") as db:
        result = (db.create_tensor("x", np.ones(shape, np.float32)) * 2).on_device()
        assert result.numpy().shape == shape
        assert result.arrow().num_rows == len(result.batch.keys)
        assert result.__arrow_c_device_array__() is not None


def test_what_needs_a_gpu_says_so(result: DeviceTensor) -> None:
    assert not hasattr(result, "__cuda_array_interface__")
    with pytest.raises(DeviceError, match="device='cuda'; arrow"):
        result.cudf()
