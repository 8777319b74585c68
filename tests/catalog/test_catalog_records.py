"""Models, tensors, blocks, tables and their listings."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from gpudb.catalog import (
    LISTINGS,
    Catalog,
    Location,
    PageRecord,
    Partition,
    TablePart,
    listing,
)
from gpudb.catalog.blocks import add_page, find_blocks, forget_unused_pages, pages
from gpudb.catalog.models import (
    add_tokenizer,
    add_version,
    drop_model,
    drop_version,
    model_names,
    tokenizer,
    version,
    versions,
)
from gpudb.catalog.tables import add_table, drop_table, table, tables
from gpudb.catalog.tensors import (
    add_partitions,
    add_tensor,
    drop_tensor,
    locations,
    partitions,
    tensor,
    tensors,
    use_blocks,
)
from gpudb.errors import CatalogError, InputError
from gpudb.types import TensorSchema


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path / "catalog.sqlite") as opened:
        yield opened


def _version(catalog, model="minilm", **changes):
    fields = {
        "architecture": "bert",
        "config": {"hidden_size": 384, "num_hidden_layers": 6, "name": "Zürich"},
        "plan": '{"plan": 1}',
        "function": {"pooling": "mean", "normalise": True, "max_tokens": 256, "prompt": None},
        "tokenizer": None,
        "dtype": "float32",
        "source": "folder/é",
        "parameters": 22_713_216,
        "nbytes": 90_852_864,
    }
    return add_version(catalog, model, **{**fields, **changes})


def _stored(catalog, schema, names, version=None, page="p"):
    """A tensor whose blocks have the given names, all new ones in one page."""
    hashes = [hashlib.sha256(name.encode()).digest() for name in names]
    new = [h for h in dict.fromkeys(hashes) if h not in find_blocks(catalog, hashes)]
    record = PageRecord(page, schema.dtype, 1000, len(new))
    if new:
        add_page(catalog, record, [(h, n, schema.block_nbytes) for n, h in enumerate(new)])
    made = add_tensor(catalog, schema, version)
    use_blocks(catalog, made.id, enumerate(hashes))
    add_partitions(catalog, made.id, [Partition(0, len(hashes))])
    return made


def _schema(name="w", rows=5):
    return TensorSchema(name, (rows, 3), (2, 3))


def test_version_comes_back_as_it_was_given(catalog):
    before = datetime.now(UTC)
    made = _version(catalog)
    assert version(catalog, "minilm") == made
    assert (made.model, made.number, made.label) == ("minilm", 1, "minilm@1")
    assert made.config["name"] == "Zürich"
    assert made.function["prompt"] is None
    assert made.source == "folder/é"
    assert before - timedelta(seconds=1) < made.created <= datetime.now(UTC)


def test_names_resolve_to_newest_or_numbered(catalog):
    first, second = _version(catalog), _version(catalog)
    other = _version(catalog, "e5")
    assert version(catalog, "minilm") == second
    assert version(catalog, "minilm@1") == first
    assert versions(catalog) == [other, first, second]
    assert versions(catalog, "minilm") == [first, second]
    assert versions(catalog, "none") == []
    assert model_names(catalog) == ["e5", "minilm"]


def test_unknown_names_list_what_exists(catalog):
    with pytest.raises(CatalogError, match="no model 'x'; there are none yet; import one"):
        version(catalog, "x")
    _version(catalog), _version(catalog), _version(catalog, "e5")
    with pytest.raises(CatalogError, match="no model 'x'; models are: e5, minilm; or import one"):
        version(catalog, "x@1")
    for number in ("3", "two", "", "01"):
        with pytest.raises(CatalogError, match=f"no version '{number}'.*minilm@1, minilm@2"):
            version(catalog, f"minilm@{number}")
    with pytest.raises(CatalogError, match="models are: e5, minilm"):
        drop_model(catalog, "x")


@pytest.mark.parametrize("name", ["", " a", "a ", "a@1", "a\nb"])
def test_unusable_model_names_are_refused(catalog, name):
    with pytest.raises(InputError, match="cannot name a model"):
        _version(catalog, name)
    assert model_names(catalog) == []


def test_numbers_of_dropped_versions_are_not_given_again(catalog):
    _version(catalog), _version(catalog)
    assert drop_version(catalog, "minilm").number == 2
    assert version(catalog, "minilm").number == 1
    assert _version(catalog).number == 3
    assert drop_version(catalog, "minilm@1").number == 1
    assert drop_version(catalog, "minilm").number == 3
    assert model_names(catalog) == []


def test_tokenizers_are_shared_and_go_with_their_last_version(catalog):
    text = json.dumps({"é": 1})
    digest = add_tokenizer(catalog, text)
    assert add_tokenizer(catalog, text) == digest
    assert tokenizer(catalog, digest) == text
    _version(catalog, tokenizer=digest), _version(catalog, "e5", tokenizer=digest)
    drop_model(catalog, "minilm")
    assert tokenizer(catalog, digest) == text
    drop_version(catalog, "e5")
    with pytest.raises(CatalogError, match=f"no tokenizer with hash {digest}"):
        tokenizer(catalog, digest)


def test_unknown_tokenizer_is_refused(catalog):
    with pytest.raises(CatalogError, match="FOREIGN KEY"):
        _version(catalog, tokenizer="00")
    assert model_names(catalog) == []


def test_tensors_come_back_as_they_were_given(catalog):
    owner = _version(catalog)
    made = [_stored(catalog, _schema(n), "abc", owner.id) for n in ("z", "a", "ü.weight")]
    own = _stored(catalog, _schema("a", 2), "a")
    assert tensors(catalog, owner.id) == made
    assert tensors(catalog) == [own]
    assert tensor(catalog, "ü.weight", owner.id) == made[2]
    assert tensor(catalog, "a") == own
    assert tensor(catalog, "a", owner.id) == made[1]
    assert partitions(catalog, own.id) == [Partition(0, 1)]


def test_tensor_names_are_unique_per_owner(catalog):
    owner = _version(catalog)
    add_tensor(catalog, _schema(), owner.id)
    with pytest.raises(CatalogError, match="'w' is there already in minilm@1; drop it"):
        add_tensor(catalog, _schema(), owner.id)
    add_tensor(catalog, _schema(), None)
    with pytest.raises(CatalogError, match="'w' is there already; drop it"):
        add_tensor(catalog, _schema(), None)


def test_unknown_tensors_list_what_exists(catalog):
    with pytest.raises(CatalogError, match="no tensor 'x'; there are none"):
        tensor(catalog, "x")
    owner = _version(catalog)
    for number in range(25):
        add_tensor(catalog, _schema(f"t{number}"), owner.id)
    with pytest.raises(CatalogError, match=r"'x' in minilm@1; tensors are: t0, .*t19 and 5 more"):
        tensor(catalog, "x", owner.id)
    with pytest.raises(CatalogError, match="no tensor 't0'; there are none"):
        drop_tensor(catalog, "t0")


def test_locations_follow_the_grid_and_share_blocks(catalog):
    one = _stored(catalog, _schema("one"), "aba", page="p")
    two = _stored(catalog, _schema("two"), "cbc", page="q")
    assert locations(catalog, one.id) == [Location("p", 0), Location("p", 1), Location("p", 0)]
    assert locations(catalog, two.id) == [Location("q", 0), Location("p", 1), Location("q", 0)]


def test_dropping_leaves_the_blocks_of_others(catalog):
    first = _version(catalog)
    _stored(catalog, _schema(), "abc", first.id, page="p")
    second = _version(catalog)
    kept = _stored(catalog, _schema(), "cde", second.id, page="q")
    drop_version(catalog, "minilm@1")
    assert tensors(catalog, first.id) == []
    assert locations(catalog, kept.id) == [Location("p", 2), Location("q", 0), Location("q", 1)]
    assert forget_unused_pages(catalog) == 0
    drop_model(catalog, "minilm")
    assert forget_unused_pages(catalog) == 2
    assert pages(catalog) == []
    assert catalog.rows("SELECT * FROM stored_block") == []


def test_a_page_stays_while_one_block_is_used(catalog):
    _stored(catalog, _schema("x"), "abc", page="p")
    _stored(catalog, _schema("y"), "def", page="q")
    kept = _stored(catalog, _schema("z", 2), "b", page="r")
    drop_tensor(catalog, "x")
    drop_tensor(catalog, "y")
    assert forget_unused_pages(catalog) == 1
    assert [page.hash for page in pages(catalog)] == ["p"]
    assert locations(catalog, kept.id) == [Location("p", 1)]
    again = _stored(catalog, _schema("x"), "abc", page="s")
    assert {place.page for place in locations(catalog, again.id)} == {"p"}


def test_a_block_added_again_moves(catalog):
    made = _stored(catalog, _schema(rows=2), "a", page="p")
    digest = hashlib.sha256(b"a").digest()
    add_page(catalog, PageRecord("q", "float32", 10, 5), [(digest, 4, 24)])
    assert locations(catalog, made.id) == [Location("q", 4)]
    assert find_blocks(catalog, [digest, b"other"]) == {digest: Location("q", 4)}


def test_many_blocks_are_found(catalog):
    hashes = [number.to_bytes(4, "big") for number in range(1234)]
    add_page(catalog, PageRecord("p", "int8", 1, 1234), [(h, n, 1) for n, h in enumerate(hashes)])
    assert find_blocks(catalog, hashes) == {h: Location("p", n) for n, h in enumerate(hashes)}


def _parts():
    return [
        TablePart("tables/1/0.parquet", 10, 500, False),
        TablePart("/data/é.parquet", 5, 70, True),
    ]


def test_tables_come_back_as_they_were_given(catalog):
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())]).serialize().to_pybytes()
    made = add_table(catalog, "Reviews", schema=schema, parts=_parts())
    assert (made.name, made.rows, made.parts) == ("Reviews", 15, tuple(_parts()))
    assert pa.ipc.read_schema(pa.py_buffer(made.schema)).names == ["id", "text"]
    assert table(catalog, "reviews") == made
    empty = add_table(catalog, "empty", schema=schema, parts=[])
    assert tables(catalog) == [empty, made]
    assert drop_table(catalog, "REVIEWS") == made
    assert tables(catalog) == [empty]
    assert catalog.rows("SELECT * FROM user_table_part") == []


def test_table_errors_list_what_exists(catalog):
    with pytest.raises(CatalogError, match="no table 'x'; there are none yet"):
        table(catalog, "x")
    add_table(catalog, "Reviews", schema=b"", parts=[])
    with pytest.raises(CatalogError, match="table 'Reviews' is there already"):
        add_table(catalog, "reviews", schema=b"", parts=[])
    with pytest.raises(CatalogError, match="no table 'x'; tables are: Reviews"):
        drop_table(catalog, "x")
    with pytest.raises(InputError, match="needs a name"):
        add_table(catalog, "", schema=b"", parts=[])


def test_listings_agree_with_the_records(catalog):
    owner, newest = _version(catalog), _version(catalog, config={}, dtype="bfloat16")
    _stored(catalog, TensorSchema("w", (5, 7), (2, 3), "float16"), "abcdefgha", owner.id)
    _stored(catalog, _schema("own", 0), "", page="none")
    add_table(catalog, "Reviews", schema=b"", parts=_parts())
    found = {}
    for what in LISTINGS:
        columns, rows = listing(catalog, what)
        assert all(len(row) == len(columns) for row in rows)
        found[what] = [dict(zip(columns, row, strict=True)) for row in rows]
        pa.Table.from_pylist(found[what])
    first, second = found["versions"]
    assert found["models"] == [second]
    assert (first["width"], first["layers"], first["bytes"]) == (384, 6, owner.nbytes)
    assert (second["width"], second["layers"], second["version"]) == (None, None, 2)
    assert first["created"] == owner.created.replace(tzinfo=None)
    assert second["dtype"] == newest.dtype
    own, w = found["tensors"]
    assert (own["model"], own["elements"], own["bytes"], own["blocks"]) == (None, 0, 0, 0)
    assert (w["model"], w["version"], w["shape"], w["block"]) == ("minilm", 1, [5, 7], [2, 3])
    assert (w["elements"], w["blocks"], w["bytes"]) == (35, 9, 9 * 12)
    keys = [row["key"] for row in found["blocks"]]
    assert keys == [list(key) for key in np.ndindex(3, 3)]
    last = found["blocks"][-1]
    assert last["hash"] == hashlib.sha256(b"a").hexdigest()
    assert (last["number"], last["page"], last["row"], last["bytes"]) == (8, "p", 0, 12)
    partition = found["partitions"][-1]
    assert (partition["first_block"], partition["blocks"], partition["bytes"]) == (0, 9, 108)
    assert found["pages"] == [{"page": "p", "dtype": "float16", "blocks": 8, "bytes": 1000}]
    (reviews,) = found["tables"]
    assert (reviews["name"], reviews["rows"], reviews["bytes"]) == ("Reviews", 15, 570)


def test_unknown_listing_lists_what_exists(catalog):
    with pytest.raises(CatalogError, match="no catalog table 'x'; catalog tables are: models, "):
        listing(catalog, "x")
