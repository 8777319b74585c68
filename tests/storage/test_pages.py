from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.errors import InputError, StorageError
from gpudb.storage import PAGE_NBYTES, Page, PageStore
from gpudb.storage import encode as encoding
from gpudb.storage.files import mapped_array
from gpudb.types import STORAGE_DTYPES


@pytest.fixture
def store(tmp_path):
    with PageStore(tmp_path / "pages", verify=True) as pages:
        yield pages


def _blocks(*sizes, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    stored = STORAGE_DTYPES[dtype]
    return [
        np.frombuffer(rng.bytes(size * stored.itemsize), stored).reshape(size) for size in sizes
    ]


def _files(store):
    return sorted(p for p in store.folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("dtype", STORAGE_DTYPES)
def test_blocks_come_back_bit_for_bit(store, dtype):
    blocks = _blocks(1, 3, 64, 63, 65, dtype=dtype)
    page = store.write(blocks, dtype)
    assert store.dtype(page.hash) == dtype
    for row, block in enumerate(blocks):
        assert store.block(page.hash, row).tobytes() == block.tobytes()
        assert store.block(page.hash, row).dtype == STORAGE_DTYPES[dtype]


def test_special_values_keep_their_bits(store):
    bits = np.array([0x7FC00001, 0xFF800001, 0x80000000, 0x7F800000, 1], np.uint32)
    page = store.write([bits.view(np.float32)], "float32")
    np.testing.assert_array_equal(store.block(page.hash, 0).view(np.uint32), bits)


def test_file_is_plain_arrow_named_by_its_hash(store):
    blocks = [b.reshape(2, 3) for b in _blocks(6, 6, dtype="bfloat16")]
    page = store.write(blocks, "bfloat16")
    path = store.path(page.hash)
    assert path == store.folder / page.hash[:2] / f"{page.hash}.arrow"
    data = path.read_bytes()
    assert page == Page(hashlib.sha256(data).hexdigest(), "bfloat16", len(data), 2)
    table = pa.ipc.open_file(path).read_all()
    assert table.column_names == ["block"]
    assert table.schema.field("block").type == pa.list_(pa.uint16())
    assert table.schema.metadata[b"gpudb.dtype"] == b"bfloat16"
    assert table.schema.metadata[b"gpudb.page"] == b"1"
    assert table["block"].to_pylist() == [b.reshape(-1).tolist() for b in blocks]


def test_views_share_memory_with_the_mapped_file(store):
    blocks = _blocks(16, 16, 16)
    page = store.write(blocks, "float32")
    run = store.run(page.hash, 0, 3, 16)
    block = store.block(page.hash, 1)
    assert np.shares_memory(run, block)
    assert block.__array_interface__["data"][0] == run.__array_interface__["data"][0] + 64
    assert store.block(page.hash, 1).__array_interface__ == block.__array_interface__
    address = block.__array_interface__["data"][0]
    assert any(low <= address < high for low, high in _mappings(store.path(page.hash)))
    assert not block.flags.writeable
    assert not run.flags.writeable
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        block.flags.writeable = True


def _mappings(path: Path) -> list[tuple[int, int]]:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("needs /proc to see what is mapped")
    lines = [line for line in maps.read_text().splitlines() if line.endswith(path.name)]
    return [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in lines]


@pytest.mark.parametrize("dtype", STORAGE_DTYPES)
@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 100])
def test_leaf_is_aligned(store, dtype, count):
    page = store.write(_blocks(*[3] * count, dtype=dtype), dtype)
    assert store.block(page.hash, 0).__array_interface__["data"][0] % 64 == 0


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), data=st.data())
def test_run_equals_its_blocks(tmp_path_factory, sizes, data):
    first = data.draw(st.integers(0, len(sizes) - 1))
    count = data.draw(st.integers(1, len(sizes) - first))
    elements = sizes[first]
    blocks = _blocks(*sizes, dtype="int32")
    with PageStore(tmp_path_factory.mktemp("pages"), verify=True) as store:
        page = store.write(blocks, "int32")
        if set(sizes[first : first + count]) == {elements}:
            run = store.run(page.hash, first, count, elements)
            np.testing.assert_array_equal(run, np.stack(blocks[first : first + count]))
        else:
            with pytest.raises(StorageError, match=f"blocks of {elements} were expected"):
                store.run(page.hash, first, count, elements)


@pytest.mark.parametrize("elements", [1, 64, 70_000])  # the last in pages of its own
@pytest.mark.parametrize("dtype", STORAGE_DTYPES)
def test_blocks_are_read_without_their_mapping(store, dtype, elements):
    page = store.write(_blocks(*[elements] * 4, dtype=dtype), dtype)
    out = mapped_array(2 * elements, STORAGE_DTYPES[dtype]).reshape(2, elements)
    store.read_run(page.hash, 1, out)
    assert out.tobytes() == store.run(page.hash, 1, 2, elements).tobytes()
    with pytest.raises(StorageError, match="rows 0 to 3"):
        store.read_run(page.hash, 3, out)
    with pytest.raises(StorageError, match="not complex64"):
        store.read_run(page.hash, 0, np.empty((2, elements), np.complex64))


def test_a_page_cut_short_while_it_is_open_is_an_error(store):
    page = store.write(_blocks(1000, 1000), "float32")
    store.run(page.hash, 0, 2, 1000)
    with store.path(page.hash).open("r+b") as file:
        file.truncate(2000)
    with pytest.raises(StorageError, match="the file ends after 2000 bytes"):
        store.read_run(page.hash, 0, np.empty((2, 1000), np.float32))


def test_same_blocks_are_written_once(store, monkeypatch):
    blocks = _blocks(5, 7)
    page = store.write(blocks, "float32")
    before = store.path(page.hash).stat()
    monkeypatch.setattr(os, "fsync", _fail(errno.ENOSPC))
    assert store.write(blocks, "float32") == page
    assert store.path(page.hash).stat() == before


def test_dtype_is_part_of_the_page(store):
    (block,) = _blocks(4, dtype="float16")
    half = store.write([block], "float16")
    brain = store.write([block.view(np.uint16)], "bfloat16")
    assert half.hash != brain.hash


def test_one_block_may_exceed_the_page_target(store, monkeypatch):
    large = np.zeros(PAGE_NBYTES + 1, np.int8)
    page = store.write([large], "int8")
    assert store.block(page.hash, 0).shape == large.shape
    monkeypatch.setattr(encoding, "MAX_BLOCK_ELEMENTS", 7)
    with pytest.raises(InputError, match="8 elements are too many for one page; the most is 7"):
        store.write([np.zeros(8, np.int8)], "int8")


@pytest.mark.parametrize(
    ("blocks", "dtype", "message"),
    [
        ([], "float32", "at least one block"),
        ([np.zeros(0, np.float32)], "float32", "at least one element"),
        ([np.zeros(2, np.float64)], "float32", "takes 1-D float32 elements; found 1-D float64"),
        ([np.zeros(2, ">f4")], "float32", "takes 1-D float32"),
    ],
)
def test_unfit_blocks_are_refused(store, blocks, dtype, message):
    with pytest.raises(InputError, match=message):
        store.write(blocks, dtype)
    assert not store.folder.exists()


def test_leaf_must_fit_its_lengths(store):
    with pytest.raises(InputError, match="blocks of 5 elements do not fit 4 elements"):
        store.write_leaf(np.zeros(4, np.float32), [2, 3], "float32")


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (2, 1), (0, 3), (1, 2), (0, 0)])
def test_rows_outside_the_page_are_refused(store, first, count):
    page = store.write(_blocks(4, 4), "float32")
    with pytest.raises(StorageError, match="has rows 0 to 1"):
        store.run(page.hash, first, count, 4)


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def _empty(path):
    path.write_bytes(b"")


def _delete(path):
    path.unlink()


def _replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGE = [
    (_flip, "is damaged"),
    (_truncate, "is damaged"),
    (_empty, "is damaged"),
    (_delete, "is missing"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE)
def test_damage_is_found_and_healed(tmp_path, damage, message):
    blocks = _blocks(500, 500)
    with PageStore(tmp_path, verify=True) as store:
        page = store.write(blocks, "float32")
        damage(store.path(page.hash))
        with pytest.raises(StorageError, match=f"page {page.hash} {message}.*import the model"):
            store.block(page.hash, 0)
        with pytest.raises(StorageError, match=message):
            store.verify(page.hash)
        assert not store.is_sound(page.hash)
        assert store.write(blocks, "float32") == page
        store.verify(page.hash)
        assert store.block(page.hash, 1).tobytes() == blocks[1].tobytes()


@pytest.mark.parametrize(
    ("damage", "message"),
    [(_truncate, "not an Arrow file"), (_empty, "not an Arrow file"), (_delete, "is missing")],
)
def test_without_verification_unreadable_pages_are_still_errors(tmp_path, damage, message):
    with PageStore(tmp_path, verify=False) as store:
        page = store.write(_blocks(500), "float32")
        damage(store.path(page.hash))
        with pytest.raises(StorageError, match=message):
            store.block(page.hash, 0)


def test_without_verification_a_flip_is_found_on_demand(tmp_path):
    with PageStore(tmp_path, verify=False) as store:
        blocks = _blocks(500)
        page = store.write(blocks, "float32")
        _flip(store.path(page.hash))
        assert store.block(page.hash, 0).tobytes() != blocks[0].tobytes()
        with pytest.raises(StorageError, match="is damaged"):
            store.verify(page.hash)
        store.write(blocks, "float32")
        assert store.block(page.hash, 0).tobytes() == blocks[0].tobytes()


def test_a_folder_in_place_of_a_page_is_one_error(store):
    page = store.write(_blocks(5), "float32")
    _replace_by_folder(store.path(page.hash))
    with pytest.raises(StorageError, match="cannot be read"):
        store.block(page.hash, 0)


def _arrow_file(path, column, metadata):
    schema = pa.schema([pa.field("block", column.type)], metadata=metadata)
    path.parent.mkdir(parents=True)
    with pa.ipc.new_file(str(path), schema) as writer:
        writer.write_batch(pa.record_batch([column], schema=schema))


@pytest.mark.parametrize(
    ("column", "metadata", "message"),
    [
        (pa.array([[1.0]]), {}, "has format None"),
        (pa.array([[1.0]]), {"gpudb.page": "2"}, "has format b'2'.*upgrade gpudb"),
        (pa.array([[1.0]]), {"gpudb.page": "1"}, "not blocks of ''"),
        (pa.array([[1.0]]), {"gpudb.page": "1", "gpudb.dtype": "int8"}, "not blocks of 'int8'"),
        (pa.array([1.0]), {"gpudb.page": "1", "gpudb.dtype": "float64"}, "holds double, not"),
    ],
)
def test_other_arrow_files_are_refused(tmp_path, column, metadata, message):
    name = "ab" * 32
    with PageStore(tmp_path / "pages", verify=False) as store:
        _arrow_file(store.path(name), column, metadata)
        with pytest.raises(StorageError, match=message):
            store.block(name, 0)


def _fail(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_full_disk_leaves_nothing_behind(store, monkeypatch, number):
    store.write(_blocks(3, seed=1), "float32")
    before = _files(store)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _fail(number))
        with pytest.raises(StorageError, match=f"{os.strerror(number)}; free some space"):
            store.write(_blocks(3, seed=2), "float32")
    assert _files(store) == before
    page = store.write(_blocks(3, seed=2), "float32")
    assert store.is_sound(page.hash)


def test_interrupt_while_writing_leaves_nothing_behind(store, monkeypatch):
    store.write(_blocks(3), "float32")
    before = _files(store)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write(_blocks(3, seed=2), "float32")
    assert _files(store) == before


def test_folder_that_is_a_file_is_one_error(tmp_path):
    (tmp_path / "pages").write_text("x")
    with (
        PageStore(tmp_path / "pages", verify=True) as store,
        pytest.raises(StorageError, match=r"cannot write a page of \d+ bytes to"),
    ):
        store.write(_blocks(3), "float32")


def test_remove_unreferenced_counts_bytes(store):
    kept, dropped = (store.write(_blocks(9, seed=s), "float32") for s in (1, 2))
    leftover = store.path(kept.hash).with_name(f"{kept.hash}.123.tmp")
    leftover.write_bytes(b"12345")
    stranger = store.folder / "notes.txt"
    stranger.write_text("not ours")
    view = store.block(dropped.hash, 0)
    assert store.remove_unreferenced({kept.hash}) == dropped.nbytes + 5
    assert _files(store) == sorted([store.path(kept.hash), stranger])
    np.testing.assert_array_equal(view, _blocks(9, seed=2)[0])
    with pytest.raises(StorageError, match="is missing"):
        store.block(dropped.hash, 0)
    assert store.remove_unreferenced({kept.hash}) == 0


def test_remove_from_a_store_never_written_to(store):
    assert store.remove_unreferenced(set()) == 0


def test_views_outlive_the_store(tmp_path):
    blocks = _blocks(1000)
    with PageStore(tmp_path, verify=True) as store:
        page = store.write(blocks, "float32")
        view = store.block(page.hash, 0)
    np.testing.assert_array_equal(view.view(np.uint32), blocks[0].view(np.uint32))
    with pytest.raises(StorageError, match="is closed"):
        store.block(page.hash, 0)
    del view
    assert not _mappings(store.path(page.hash))
