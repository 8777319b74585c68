"""How the launch code of row kernels cuts its grid; no device is needed to know."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb import kernels
from gpudb.errors import DeviceError
from gpudb.kernels.embedding_layer_norm import launch
from gpudb.kernels.launch import MATRIX_ROWS, MAX_SHARED_NBYTES, matrix_grid, row_grid, strided_rows


class Shapes:
    """The part of a device that needs no memory."""

    def block_size(self, wanted: int) -> int:
        return wanted

    def contiguous(self, x: Any) -> Any:
        return np.ascontiguousarray(x)


DEVICE: Any = Shapes()


def test_a_row_is_kept_in_shared_memory_where_it_fits() -> None:
    grid = row_grid(DEVICE, 10, 384, 2)
    assert (grid.blocks, grid.threads, grid.shared, grid.kept) == (10, 64, 4 * 384, 384)


@pytest.mark.parametrize("itemsize", [2, 4, 8])
def test_of_a_row_too_wide_for_shared_memory_the_front_is_kept(itemsize: int) -> None:
    widest = (MAX_SHARED_NBYTES - 512) // max(4, itemsize)
    assert widest % (16 // itemsize) == 0
    for width in (widest, widest + 1, 3 * widest):
        grid = row_grid(DEVICE, 1, width, itemsize)
        assert (grid.kept, grid.shared) == (widest, widest * max(4, itemsize))


def test_a_thread_takes_16_bytes_of_a_few_rows() -> None:
    assert matrix_grid(DEVICE, 4 * MATRIX_ROWS, 1024, 4) == (4, 256)
    assert matrix_grid(DEVICE, 0, 1024, 4)[0] == 0
    assert matrix_grid(DEVICE, 4, 0, 4)[0] == 0


def test_rows_of_a_thread_are_the_same_number_in_cuda() -> None:
    header = Path(kernels.__file__).with_name("matrix.cuh").read_text(encoding="utf-8")
    assert re.findall(r"#define ROWS_EACH (\d+)", header) == [str(MATRIX_ROWS)]


def test_rows_apart_are_taken_as_they_are() -> None:
    table = np.zeros((5, 12), np.float32)[:, :8]
    x, stride = strided_rows(DEVICE, table)
    assert x is table
    assert stride == 12


def test_elements_apart_are_copied() -> None:
    x, stride = strided_rows(DEVICE, np.zeros((8, 5), np.float32).T)
    assert x.flags.c_contiguous
    assert stride == 8


def test_five_tables_are_an_error() -> None:
    table, rows, vector = np.zeros((2, 4)), np.zeros(3, np.int64), np.zeros(4)
    with pytest.raises(DeviceError, match="adds 4 tables at most, got 5"):
        launch(DEVICE, [table] * 5, [rows] * 5, vector, vector, 1e-5)
