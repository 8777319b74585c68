"""Blocks by number, whether they are in memory, in a file or stored; disks that are full."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.errors import StorageError
from gpudb.exec.spill import BlockWriter, FileBlocks, MemoryBlocks, StoredBlocks, take_filled
from gpudb.types import TensorSchema, widen
from tests.tiny_plans import Arrays

SCHEMA = TensorSchema("x", (10, 4), (2, 3))
BLOCKS = np.random.default_rng(0).standard_normal((10, 2, 3)).astype(np.float32)

MAKERS: dict[str, Callable[[Path], BlockWriter]] = {
    "memory": lambda folder: MemoryBlocks(len(BLOCKS), SCHEMA),
    "file": lambda folder: FileBlocks(folder, SCHEMA),
}


@settings(max_examples=60)
@given(
    kind=st.sampled_from(sorted(MAKERS)),
    cuts=st.sets(st.integers(1, 9)),
    rows=st.lists(st.integers(-1, 9)),
)
def test_blocks_come_back_by_number(kind: str, cuts: set[int], rows: list[int]) -> None:
    kept = MAKERS[kind](Path(gettempdir()))
    bounds = [0, *sorted(cuts), len(BLOCKS)]
    for first, last in pairwise(bounds):
        kept.put(first, BLOCKS[first:last])
    wanted = np.array(rows, np.int64)
    expected = np.where((wanted >= 0)[:, None, None], BLOCKS[wanted], 0)
    np.testing.assert_array_equal(take_filled(kept, wanted, SCHEMA), expected)
    kept.close()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int8"])
def test_stored_blocks_are_numbered_among_the_chosen(dtype: str) -> None:
    arrays = Arrays()
    stored = np.arange(24).reshape(6, 4)
    values = stored.astype("uint16" if dtype == "bfloat16" else dtype)
    scan = arrays.scan("x", values, (1, 4), dtype)
    reader = StoredBlocks(arrays, scan.tensor, np.array([1, 3, 5]))
    expected = widen(values[[5, 1]][:, None], dtype)
    np.testing.assert_array_equal(reader.take(np.array([2, 0])), expected)


def test_a_file_leaves_nothing_in_the_folder_and_no_open_file(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    kept = FileBlocks(tmp_path, SCHEMA)
    kept.put(0, BLOCKS)
    assert os.listdir(tmp_path) == []
    kept.close()
    kept.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    kept = FileBlocks(tmp_path, SCHEMA)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match=rf"{tmp_path}: No space left.*memory_limit="):
        kept.put(0, BLOCKS)
    kept.close()


def test_writes_and_reads_may_stop_halfway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite, preadv = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda fd, data, place: pwrite(fd, data[:7], place))
    monkeypatch.setattr(os, "preadv", lambda fd, into, place: preadv(fd, [into[0][:5]], place))
    kept = FileBlocks(tmp_path, SCHEMA)
    kept.put(0, BLOCKS)
    np.testing.assert_array_equal(kept.take(np.array([9, 0, 1])), BLOCKS[[9, 0, 1]])
    kept.close()


def test_a_folder_that_is_not_there_and_a_file_cut_short_are_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"missing.*make the folder writable"):
        FileBlocks(tmp_path / "missing", SCHEMA)
    kept = FileBlocks(tmp_path, SCHEMA)
    kept.put(0, BLOCKS[:2])
    with pytest.raises(StorageError, match="ends after 48 bytes"):
        kept.take(np.array([2]))
    kept.close()
