"""The ``gpudb`` command from its arguments to its output, on a real database."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pytest
from pyarrow import parquet

import gpudb
from gpudb.cli import doctor, main, measure, query
from gpudb.report import from_json
from gpudb.sql.history import FILE as HISTORY
from gpudb.store.folder import PAGES
from tests.tiny_clip import write_clip
from tests.tiny_model import write_tiny_model

TEXTS = ["good", 'bad, "quoted"', "שלום 👩‍👩‍👧", None, ""]
Run = Callable[..., str]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, minilm_folder: Path) -> Path:
    path = tmp_path_factory.mktemp("cli") / "a database.gpudb"
    with gpudb.connect(str(path)) as db:
        db.import_model(minilm_folder, "minilm")
        db.create_table("notes", pa.table({"id": range(5), "text": TEXTS}))
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that must succeed; what it wrote to stdout."""

    def run(*arguments: object) -> str:
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return run


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that must fail with one line on stderr; that line."""

    def fail(*arguments: object, code: int = 1) -> str:
        assert main([str(a) for a in arguments]) == code
        captured = capsys.readouterr()
        lines = captured.err.splitlines()
        assert captured.out == ""
        assert lines[-1].startswith("gpudb")
        assert "error: " in lines[-1]
        assert code == 2 or len(lines) == 1
        return lines[-1]

    return fail


@pytest.mark.parametrize(
    "command",
    ["import-model", "sql", "explain", "ls", "describe", "predict", "bench", "demo", "doctor"],
)
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    text = run(command, "--help")
    assert f"example:\n  gpudb {command}" in text
    assert command in run("--help")


def test_version(run: Run) -> None:
    assert run("--version") == f"gpudb {gpudb.__version__}\n"


def test_import_model(run: Run, minilm_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.gpudb"
    first = run("import-model", minilm_folder, "--name", "m", "-d", path)
    again = run("import-model", minilm_folder, "--name", "m", "-d", path)
    assert first.startswith("Imported m version 1 (")
    assert again.startswith("Imported m version 2 (")
    assert "; 0 bytes written; " in again


def test_import_model_in_fewer_bits(run: Run, tmp_path: Path) -> None:
    folder, path = write_tiny_model(tmp_path / "model"), tmp_path / "new.gpudb"
    said = run("import-model", folder, "--name", "m", "--dtype", "int8", "-d", path)
    assert re.search(r"Bytes by dtype: [\d,]+ of int8, [\d,]+ of float32\.\n", said)
    assert re.search(r"Relative error of 15 rounded weights: at most 0\.\d+ \(", said)
    assert re.search(r"Cosine .* 0\.99\d+ on average over 8 texts, 0\.99\d+ at least", said)
    described = json.loads(run("describe", "m", "-d", path, "--format", "json"))
    errors = {row["name"]: row["error"] for row in described}
    weight = "encoder.layer.0.output.dense.weight"
    assert errors[weight] > 0
    assert errors[f"{weight}.scales"] is None


def test_import_a_tower(run: Run, fail: Run, tmp_path: Path) -> None:
    folder, path = write_clip(tmp_path / "model"), tmp_path / "new.gpudb"
    command = ("import-model", folder, "--name", "m", "-d", path)
    assert "tower='text'" in fail(*command)
    said = run(*command, "--tower", "text")
    assert said.startswith("Imported m version 1 (clip_text)")
    assert "vision_model.post_layernorm.weight" in said


def test_sql_formats_agree(run: Run, database: Path, tmp_path: Path) -> None:
    query = ("sql", "-d", database, "SELECT id, text FROM notes ORDER BY id")
    rows = [{"id": i, "text": t} for i, t in enumerate(TEXTS)]
    assert json.loads(run(*query, "--format", "json")) == rows
    assert [json.loads(x) for x in run(*query, "--format", "jsonl").splitlines()] == rows
    read = list(csv.DictReader(io.StringIO(run(*query, "--format", "csv"))))
    assert [(int(r["id"]), r["text"]) for r in read] == [(r["id"], r["text"] or "") for r in rows]
    for suffix in ("parquet", "json", "csv"):
        assert run(*query, "-o", tmp_path / f"x.{suffix}") == ""
    assert parquet.read_table(tmp_path / "x.parquet").to_pylist() == rows
    assert json.loads((tmp_path / "x.json").read_text()) == rows
    lines = run(*query).splitlines()
    assert lines[0].split() == ["id", "text"]
    assert lines[4].split() == ["3", "NULL"]


def test_sql_embeds(run: Run, database: Path) -> None:
    query = "SELECT embed('minilm', text) AS e FROM notes WHERE id IN (0, 3) ORDER BY id"
    rows = json.loads(run("sql", "-d", database, query, "--format", "json"))
    assert len(rows[0]["e"]) == 384
    assert rows[1]["e"] is None
    assert "… 384 values" in run("sql", "-d", database, query)


def test_a_failed_statement_makes_no_database(fail: Run, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "new.gpudb"
    fail("sql", "-d", path, "SELECT * FROM nothing")
    assert not path.exists()
    fail("sql", "-d", path, "CREATE TABLE t AS SELECT 1 AS a; SELECT * FROM nothing")
    assert "1" in run("sql", "-d", path, "SELECT a FROM t")
    fail("sql", "-d", path, "DROP TABLE t; SELECT * FROM nothing")
    assert path.exists()


def test_parameters(run: Run, database: Path) -> None:
    query = "SELECT id FROM notes WHERE id < $n AND text = $t"
    options = ("--param", "n=3", "--param", "t=good", "--format", "json")
    assert json.loads(run("sql", "-d", database, query, *options)) == [{"id": 0}]


def test_sql_from_stdin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 6 * 7 AS answer"))
    assert run("sql", "-d", ":memory:", "-") == "answer\n42\n"


def test_sql_without_a_database(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parquet.write_table(pa.table({"x": [1, 2]}), "x.parquet")
    assert run("sql", "SELECT sum(x) AS s FROM 'x.parquet'", "--format", "csv") == '"s"\n3\n'
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]


def test_create_table_as(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "made.gpudb"
    run("sql", "-d", path, "CREATE TABLE t AS SELECT range AS x FROM range(3)")
    query = ("sql", "-d", path, "SELECT * FROM t", "--format", "json")
    assert json.loads(run(*query)) == [{"x": 0}, {"x": 1}, {"x": 2}]


def test_explain(run: Run, database: Path) -> None:
    query = "SELECT embed('minilm', text) FROM notes LIMIT 2"
    plan = run("explain", "-d", database, query)
    analysed = run("explain", "-d", database, "--analyze", query)
    model = run("explain", "-d", database, "--model", "minilm")
    assert "minilm" in plan
    assert "GFLOP/s" in analysed
    assert "GFLOP/s" not in plan
    assert len(model.splitlines()) > 5


def test_explain_formats(run: Run, database: Path, tmp_path: Path) -> None:
    query = ("explain", "-d", database, "SELECT embed('minilm', text) FROM notes LIMIT 2")
    report = from_json(run(*query, "--analyze", "--format", "json"))
    assert report.plans[0].run is not None
    assert run(*query, "-o", tmp_path / "plan.html") == ""
    assert (tmp_path / "plan.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert run(*query, "--format", "text", "-o", tmp_path / "plan.json") == ""
    assert (tmp_path / "plan.json").read_text(encoding="utf-8").startswith("split")
    relational = run(*query, "--relational")
    assert "Join(left=" in relational
    assert "physical" not in relational
    assert run("explain", "-d", database, "--model", "minilm", "--format", "json").startswith("{")


@pytest.mark.parametrize(
    ("what", "column", "known"),
    [("models", "model", "minilm"), ("tables", "name", "notes"), ("tensors", "model", "minilm")],
)
def test_ls(run: Run, database: Path, what: str, column: str, known: str) -> None:
    rows = json.loads(run("ls", what, "-d", database, "--format", "json"))
    assert known in {r[column] for r in rows}


def test_ls_pages(run: Run, database: Path) -> None:
    rows = json.loads(run("ls", "pages", "-d", database, "--format", "json"))
    files = {p.stem for p in (database / PAGES).rglob("*.arrow")}
    assert {r["page"] for r in rows} == files


def test_describe(run: Run, database: Path) -> None:
    assert "text" in run("describe", "notes", "-d", database)
    assert len(run("describe", "minilm", "-d", database).splitlines()) > 50


def test_doctor(run: Run, database: Path) -> None:
    text = run("doctor", "-d", database)
    for word in ("Python", "numpy", "duckdb", "BLAS", "processors", "jit", "GPU", "cupy", "cudf"):
        assert f"\n{word} " in f"\n{text}"
    assert doctor.UNVERIFIED in text
    assert "1 tables read; all sound" in text


def test_doctor_measures_once_and_explain_compares(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    quick = partial(measure.measure, shapes=[(64, 64, 64)], sizes=[64, 1 << 16], repeats=3)
    monkeypatch.setattr(measure, "measure", quick)
    query = ("explain", "-d", database, "--analyze", "SELECT embed('minilm', 'a')")
    assert "ceilings not measured: gpudb doctor --measure" in run("doctor")
    assert "ceilings not measured: gpudb doctor --measure" in run(*query)
    assert "GFLOP/s on one thread" in run("doctor", "--measure")
    told = run(*query)
    assert "of ceiling" in told
    assert re.search(
        r"^limited by \w+.*: \d+% of the time, at \d+% of its \w+ ceiling$", told, re.M
    )


def test_doctor_names_a_history_that_cannot_be_kept(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "d.gpudb"
    run("sql", "-d", path, "CREATE TABLE t AS SELECT 1 AS a")
    (path / HISTORY).write_bytes(b"no database" * 100)
    assert "history: " in run("doctor", "-d", path)


def test_doctor_finds_a_damaged_page(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.gpudb"
    shutil.copytree(database, copy)
    page = max((copy / PAGES).rglob("*.arrow"), key=lambda p: p.stat().st_size)
    page.chmod(0o644)
    content = bytearray(page.read_bytes())
    content[len(content) // 2] ^= 1
    page.write_bytes(content)
    assert main(["doctor", "-d", str(copy)]) == 1
    out = capsys.readouterr().out
    assert "damaged: " in out
    assert page.stem in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sql", "-d", ":memory:", "SELEC 1"), "SELEC"),
        (("sql", "-d", ":memory:", "SELECT * FROM nowhere"), "nowhere"),
        (("sql", "-d", ":memory:", "SELECT embed('nobody', 'x')"), "nobody"),
        (("ls", "-d", "no/such.gpudb"), "there is no database at no/such.gpudb"),
        (("describe", "x", "-d", "no/such.gpudb"), "there is no database"),
        (("import-model", "no/such/folder", "--name", "m", "-d", ":memory:"), "no/such/folder"),
        (("import-model", ".", "--name", "m", "--dtype", "int4", "-d", ":memory:"), "int4"),
        (("sql", "-d", ":memory:", "--memory-limit", "lots", "SELECT 1"), "lots"),
    ],
)
def test_errors_are_one_line(fail: Run, arguments: tuple[str, ...], words: str) -> None:
    assert words in fail(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("sql",),
        ("sql", "SELECT 1", "--param", "x"),
        ("sql", "SELECT 1", "--format", "parquet"),
        ("sql", "SELECT 1", "--format", "xml"),
        ("import-model", "x", "--name", "m", "--block", "0x3"),
        ("import-model", "x", "--name", "m", "--tower", "vision"),
        ("explain",),
        ("explain", "SELECT 1", "--model", "m"),
        ("explain", "--analyze", "--model", "m"),
        ("explain", "--analyze", "--relational", "SELECT 1"),
        ("explain", "--format", "graphviz", "SELECT 1"),
    ],
)
def test_wrong_usage(fail: Run, arguments: tuple[str, ...]) -> None:
    fail(*arguments, code=2)


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gpudb.cli", *arguments],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_closed_pipe_is_silent() -> None:
    with _start("sql", "-d", ":memory:", "SELECT * FROM range(200000)", "--format", "csv") as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == '"range"\n'
        child.stdout.close()
        assert child.stderr.read() == ""
        assert child.wait() == 141


def test_interrupt_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(query, "open_database", interrupt)
    assert main(["sql", "-d", ":memory:", "SELECT 1"]) == 130
    assert capsys.readouterr().err == "gpudb: interrupted\n"


def test_predict_has_a_row_for_each_gpu_and_precision_it_has(run: Run, database: Path) -> None:
    rows = json.loads(run("predict", "minilm", "-d", database, "--format", "json"))
    pairs = {(row["gpu"], row["precision"]) for row in rows}
    assert ("t4", "float16") in pairs
    assert ("t4", "tf32") not in pairs
    assert len(pairs) == len(rows) == 6 * 4 - 2
    assert all(row["a layer"] == 8 and row["predicted tokens/s"] > 0 for row in rows)
    chosen = ("--gpu", "l4", "--precision", "tf32", "--texts", 9, "--length", 7, "--no-graph")
    (row,) = json.loads(run("predict", "minilm", "-d", database, *chosen, "--format", "json"))
    assert row["predicted tokens/s"] == pytest.approx(63e3 / row["predicted ms"], rel=1e-3)


def test_predict_by_operator(run: Run, database: Path) -> None:
    chosen = ("--gpu", "t4", "--precision", "fp16", "--steps", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(run("predict", "minilm", "-d", database, *chosen))))
    assert rows[0]["precision"] == "float16"
    assert rows[0]["operator"] == "EmbeddingNormRows"
    assert rows[-1]["operator"] == "PoolRows"
    assert all(float(r["predicted µs"]) >= float(r["roofline µs"]) for r in rows)


def test_predict_refuses_what_it_cannot_predict(fail: Run, database: Path) -> None:
    model = ("predict", "minilm", "-d", database)
    assert "no GPU 'abacus'" in fail(*model, "--gpu", "abacus")
    assert "t4 has no" in fail(*model, "--gpu", "t4", "--precision", "tf32")
    assert "at least 1" in fail(*model, "--length", 0)
    assert "--texts" in fail(*model, "--texts", 0, code=2)
