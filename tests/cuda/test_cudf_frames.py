"""Frames of blocks with the real cuDF over host memory: what needs no computing."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests import cudf_objects

pytestmark = pytest.mark.cudf
REAL = ("rmm", "pylibcudf", "cudf")


@pytest.fixture(name="cudf")
def _cudf() -> Iterator[Any]:
    """CuPy is the stand-in, whose arrays are host memory; cuDF and what it needs are real."""
    import cudf

    from tests.cuda.standin.install import standin

    real = {n: m for n, m in sys.modules.items() if n.partition(".")[0] in REAL}
    with standin():
        for name in [n for n in sys.modules if n.partition(".")[0] in REAL]:
            del sys.modules[name]
        sys.modules.update(real)
        yield cudf


def test_frames_share_the_memory_of_blocks(cudf: Any) -> None:
    import cupy as cp

    from gpudb.backend.cuda.columns import list_view
    from gpudb.backend.cuda.frames import block_frames

    keys = np.array([[0, 0], [0, 1], [1, 0]], np.int32)
    blocks = cp.asarray(np.arange(18, dtype=np.float32).reshape(3, 2, 3))
    (frame,) = block_frames(keys, blocks)
    assert isinstance(frame, cudf.DataFrame)
    assert list(frame.columns) == ["i0", "i1", "block"]
    assert frame.shape == (3, 3)
    table, _ = frame.to_pylibcudf()
    found = list_view(table.columns()[2], (2, 3), "float32")
    assert found.data.ptr == blocks.data.ptr
    np.testing.assert_array_equal(found.get(), blocks.get())


def test_many_blocks_are_several_frames(cudf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import cupy as cp

    from gpudb.backend.cuda import columns
    from gpudb.backend.cuda.frames import block_frames

    monkeypatch.setattr(columns, "MAX_ELEMENTS", 25)
    blocks = cp.asarray(np.arange(30, dtype=np.float32).reshape(5, 2, 3))
    frames = block_frames(np.arange(5, dtype=np.int32)[:, None], blocks)
    assert [len(frame) for frame in frames] == [2, 2, 1]


@pytest.mark.parametrize("kind", [cudf_objects.Series, cudf_objects.DataFrame])
def test_doors_are_tested_with_what_cudf_has(cudf: Any, kind: type) -> None:
    """The classes that other tests pass for cuDF's: same place, same names, same arguments."""
    real = getattr(cudf, kind.__name__)
    assert real.__module__ == kind.__module__
    for name in vars(kind):
        if not name.startswith("__") or name.startswith("__arrow"):
            assert hasattr(real, name)
    assert hasattr(real, "__arrow_c_stream__") == hasattr(kind, "__arrow_c_stream__")
    assert not hasattr(real, "__arrow_c_array__")
    mine, theirs = (inspect.signature(k.to_arrow) for k in (kind, real))
    assert list(mine.parameters) == list(theirs.parameters)


def test_frames_are_made_from_arrow(cudf: Any) -> None:
    assert list(inspect.signature(cudf.DataFrame.from_arrow).parameters) == ["table"]
