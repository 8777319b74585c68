"""Who reads the lines along an axis; no device is needed to know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.kernels.lines import LineGrid, line_grid


class Shapes:
    """The part of a device that needs no memory."""

    def block_size(self, wanted: int) -> int:
        return wanted


DEVICE: Any = Shapes()


def _grid(shape: tuple[int, ...], axis: int, dtype: str = "float32") -> LineGrid:
    return line_grid(DEVICE, np.empty(shape, dtype), axis)


def test_lines_of_a_few_hundred_elements_are_read_by_a_warp_each() -> None:
    assert _grid((2, 3, 256), 1) == LineGrid("WarpTeam", 2, 128, 0, (6, 3, 256, 1))


@pytest.mark.parametrize(("extent", "threads"), [(2048, 128), (2049, 160), (1 << 20, 512)])
def test_longer_lines_by_a_block_each(extent: int, threads: int) -> None:
    assert _grid((1, 2, extent), 1) == LineGrid("BlockTeam", 2, threads, 256, (2, 2, extent, 1))


@pytest.mark.parametrize(
    ("extent", "threads", "shared"),
    [(0, 32, 0), (16, 32, 0), (17, 64, 512), (256, 512, 4096), (5000, 512, 4096)],
)
def test_elements_apart_by_32_lines_to_a_block(extent: int, threads: int, shared: int) -> None:
    grid = _grid((3, 2, extent, 33), 1)
    assert grid == LineGrid("StripTeam", 7, threads, shared, (198, 66, extent, 33))


def test_very_short_lines_as_well() -> None:
    assert _grid((100, 8), 0).team == "StripTeam"
    assert _grid((100, 32), 0).team == "WarpTeam"


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_without_lines_there_are_no_blocks(shape: tuple[int, ...]) -> None:
    assert _grid(shape, 1).blocks == 0


def test_the_length_of_a_warps_line_is_in_bytes() -> None:
    assert _grid((1, 1024), 0).team == "WarpTeam"
    assert _grid((1, 1024), 0, "float64").team == "BlockTeam"
