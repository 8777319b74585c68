"""Models that cannot be imported: one error that names the thing, and nothing stored."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gpudb
from gpudb.catalog.blocks import pages
from gpudb.catalog.models import model_names
from gpudb.errors import CheckpointError, GpudbError, InputError, StorageError
from gpudb.models.importer import import_model
from gpudb.store import TensorStore
from tests.tiny_model import CONFIG, write_tiny_model

LISTINGS = ("models", "versions", "tensors", "partitions", "blocks", "pages")
SMALL_PAGE = 4096  # bytes: the tiny model fills several


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device="numpy") as database:
        database.import_model(write_tiny_model(tmp_path / "kept", seed=9), "kept")
        yield database


def stored(db: gpudb.Database) -> object:
    """The catalog's listings, and name and content of every page file."""
    rows = [sorted(db.sql(f"SELECT * FROM gpudb.{n}").fetchall(), key=repr) for n in LISTINGS]
    return rows, {p.name: p.read_bytes() for p in (db.folder / "pages").rglob("*.*")}


def refused(
    db: gpudb.Database, kind: type[GpudbError], message: str, folder: Any, **options: Any
) -> str:
    """Import what must be refused with ``message``; check that nothing changed."""
    before = stored(db)
    with pytest.raises(kind, match=message) as caught:
        db.import_model(folder, options.pop("name", "bad"), **options)
    assert stored(db) == before
    return str(caught.value)


@pytest.mark.parametrize("found", [3, None, b"model", ["model"]], ids=repr)
def test_a_folder_that_is_no_path(db: gpudb.Database, found: Any) -> None:
    refused(db, InputError, f"folder is a {type(found).__name__}; expected", found)


@pytest.mark.parametrize("name", [3, None, b"m", "", " m", "m@2", "a\0b", "a\nb"], ids=repr)
def test_what_cannot_name_a_model(db: gpudb.Database, folder: Path, name: Any) -> None:
    refused(db, InputError, "cannot name a model", folder, name=name)


@pytest.mark.parametrize(
    "block",
    [3, (8,), (8, 8, 8), ("8", 8), (1.5, 8), (True, 8), (8, 0), (-1, 8), "8x8", {"rows": 8}],
    ids=repr,
)
def test_what_is_no_shape_of_a_block(db: gpudb.Database, folder: Path, block: Any) -> None:
    refused(db, InputError, "block is .*; expected two whole numbers", folder, block=block)


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (_empty, r"empty: no config\.json"),
        (lambda folder: folder / "vocab.txt", r"vocab\.txt: found a file; expected the folder"),
        (lambda folder: folder / "nowhere", "nowhere: no such folder"),
    ],
    ids=["empty", "a file", "missing"],
)
def test_what_is_no_model_folder(
    db: gpudb.Database, folder: Path, find: Callable[[Path], Path], message: str
) -> None:
    refused(db, CheckpointError, message, find(folder))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_a_folder_in_the_place_of_a_file(db: gpudb.Database, folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(db, CheckpointError, f"{name}: cannot be read", folder)


@pytest.mark.parametrize("layers", [1001, 10**9, 10**30], ids=["1001", "1e9", "1e30"])
@pytest.mark.parametrize(
    ("key", "config"),
    [
        ("num_hidden_layers", CONFIG),
        (
            "num_layers",
            {"model_type": "torch.nn.TransformerEncoder", "d_model": 8, "dim_feedforward": 8},
        ),
    ],
    ids=["bert", "torch"],
)
def test_more_layers_than_any_encoder_has(
    db: gpudb.Database, folder: Path, key: str, config: dict[str, Any], layers: int
) -> None:
    """Refused by the number: naming the weights of so many layers would fill the memory."""
    (folder / "config.json").write_text(json.dumps({**config, key: layers}))
    message = refused(db, CheckpointError, f"{key} is {layers}; .* from 1 to 1000", folder)
    assert len(message) < 500


@pytest.mark.parametrize("longest", [1, 0])
def test_no_room_for_the_special_tokens(db: gpudb.Database, folder: Path, longest: int) -> None:
    settings = folder / "sentence_bert_config.json"
    settings.write_text(json.dumps({"max_seq_length": longest}))
    assert str(folder) in refused(db, CheckpointError, f" {longest}", folder)


def test_one_position_is_too_few_for_a_text(db: gpudb.Database, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "short", max_position_embeddings=1)
    assert str(folder) in refused(db, CheckpointError, "max_tokens is 1", folder)


def test_a_folder_whose_name_is_not_unicode(db: gpudb.Database, folder: Path) -> None:
    """File names are bytes; the catalog keeps what can be read of this one."""
    odd = Path(os.fsdecode(os.fsencode(folder) + b"\xff"))
    try:
        folder.rename(odd)
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    db.import_model(odd, "odd")
    (source,) = db.sql("SELECT source FROM gpudb.versions WHERE model = 'odd'").fetchone()
    assert source == f"{folder.absolute()}\\udcff"


def _page_writes(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Let ``most`` syncs to disk pass, then have no space; the list grows with each sync."""
    calls: list[int] = []
    sync = os.fsync

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > most:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    return calls


def test_a_disk_that_fills_up_in_the_middle(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever write fails, the models before are whole and the new one is not there."""
    kept = write_tiny_model(tmp_path / "kept", seed=9)
    with TensorStore(tmp_path / "db", verify=True, page_nbytes=SMALL_PAGE) as store:
        import_model(store, kept, "kept")

        def state() -> object:
            files = {p.name: p.read_bytes() for p in (tmp_path / "db" / "pages").rglob("*.*")}
            return model_names(store.catalog), pages(store.catalog), files

        before = state()
        most = 0
        while True:
            with monkeypatch.context() as patch:
                calls = _page_writes(patch, most)
                try:
                    report = import_model(store, folder, "new")
                except StorageError as error:
                    assert "No space left" in str(error)  # noqa: PT017
                else:
                    break
            assert len(calls) == most + 1
            store.vacuum()
            assert state() == before
            most += 1
        assert most > 6  # several pages, each with its own syncs
        assert report.version == 1  # no failed try took a number


def test_a_list_is_a_shape_of_a_block(db: gpudb.Database, folder: Path) -> None:
    pair: Any = [8, 5]
    db.import_model(folder, "list", block=pair)
    db.import_model(folder, "tuple", block=(8, 5))
    shapes = "SELECT name, block FROM gpudb.tensors WHERE model = '{}' ORDER BY name"
    assert (
        db.sql(shapes.format("list")).fetchall() == db.sql(shapes.format("tuple")).fetchall() != []
    )
