"""The demo on a small documentation: what it says, what it stores, what it reuses."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import gpudb
from gpudb.cli import demo, main, stdlib_docs

ENTRIES = {
    "os.path.split": ("(p)", "Split a pathname into head and tail."),
    "shutil.copytree": ("(src, dst)", "Recursively copy a directory tree.\n\nMore words."),
    "threading.Timer": ("(interval, function)", "Call a function after some seconds."),
    "urllib.parse.unquote": ("(string)", "Replace %xx escapes by their character."),
}


def _table() -> pa.Table:
    rows = [
        {"module": n.rpartition(".")[0], "name": n, "kind": "function", "signature": s, "doc": d}
        for n, (s, d) in ENTRIES.items()
    ]
    return pa.Table.from_pylist(rows)


@pytest.mark.usefixtures("minilm_folder")
def test_second_run_reuses_what_the_first_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stdlib_docs, "standard_library_table", _table)
    path = str(tmp_path / "demo.gpudb")
    assert main(["demo", "-d", path]) == 0
    first = capsys.readouterr().out
    assert "Imported all-MiniLM-L6-v2" in first
    assert "4 rows of 4 modules" in first
    assert "Embedded 4 texts" in first
    assert "(0 of padding)" in first
    assert "texts/s" in first
    for question, name in (
        ("split a path into folder and file", "os.path.split"),
        ("copy a whole folder", "shutil.copytree"),
        ("undo URL percent encoding", "urllib.parse.unquote"),
    ):
        heading, best = first.partition(f"“{question}”\n")[2].splitlines()[:2]
        assert heading.split() == ["score", "name", "doc"]
        assert best.split()[1] == name

    assert main(["demo", "-d", path]) == 0
    second = capsys.readouterr().out
    assert second.count("is stored already") == 3
    assert "Imported" not in second
    assert "Embedded" not in second
    with gpudb.connect(path) as db:
        assert set(db.tables()) == {demo.DOCS, demo.VECTORS}
        assert db.models() == [demo.MODEL]


def test_missing_model_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _: None)
    assert main(["demo", "-d", str(tmp_path / "demo.gpudb")]) == 1
    captured = capsys.readouterr()
    assert demo.MODEL_INSTALL in captured.err
    assert len(captured.err.splitlines()) == 1
