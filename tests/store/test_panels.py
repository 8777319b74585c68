"""The panels that matrices are cut into: about a megabyte, and hardly any padding."""

from __future__ import annotations

import pytest

from gpudb.store.panels import PANEL_NBYTES, row_panels


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("rows", [1, 2, 384, 5087, 30522, 250_002])
@pytest.mark.parametrize("width", [1, 24, 384, 3072, 400_000])
def test_the_last_panel_lacks_less_than_a_row_for_each(rows: int, width: int, dtype: str) -> None:
    height, across = row_panels((rows, width), dtype)
    panels = -(-rows // height)
    assert across == width
    assert height == 1 or height * width <= PANEL_NBYTES
    assert panels * height - rows < panels


def test_what_has_no_rows_or_columns() -> None:
    assert row_panels((0, 4), "float32") == (1, 4)
    assert row_panels((4, 0), "float32") == (4, 1)
    assert row_panels((0,), "float32") == (1,)
