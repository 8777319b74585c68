"""The demo's table: what it holds, and that building it runs nothing."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import pytest

from gpudb.cli.compiled_docs import COMPILED
from gpudb.cli.doc_entry import Entry
from gpudb.cli.stdlib_docs import standard_library_entries, standard_library_table
from gpudb.errors import InputError


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    return {e.name: e for e in standard_library_entries()}


def test_thousands_of_unique_rows_in_order(entries: dict[str, Entry]) -> None:
    rows = list(entries.values())
    keys = [(e.module, e.name) for e in rows]
    assert 4000 < len(rows) < 20000
    assert keys == sorted(set(keys))
    assert {e.kind for e in rows} == {"module", "function", "class", "method", "property"}
    assert all(e.doc and e.name.startswith(e.module) for e in rows)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("os.path.split", "function", "Split a pathname"),
        ("os.path.exists", "function", "path exists"),
        ("os.listdir", "function", "list containing the names"),
        ("os.walk", "function", "Directory tree generator"),
        ("asyncio.to_thread", "function", "separate thread"),
        ("collections.Counter", "class", "counting hashable items"),
        ("collections.abc.Mapping.get", "method", "D[k]"),
        ("concurrent.futures.Executor.submit", "method", "callable to be executed"),
        ("decimal.Decimal", "class", "decimal arithmetic"),
        ("itertools.chain", "class", "chain object"),
        ("math.sqrt", "function", "square root"),
        ("builtins.str.split", "method", "list of the substrings"),
        ("threading.Timer", "class", "after a specified number of seconds"),
        ("json", "module", "JSON"),
        ("pathlib.PurePath.name", "property", "final path component"),
    ],
)
def test_known_entries(entries: dict[str, Entry], name: str, kind: str, words: str) -> None:
    assert entries[name].kind == kind
    assert words in entries[name].doc


def test_only_public_names(entries: dict[str, Entry]) -> None:
    assert [n for n in entries if any(p.startswith("_") for p in n.split("."))] == []
    assert not {"posixpath", "ntpath", "asyncio.tasks.sleep", "test", "idlelib"} & set(entries)


def test_signatures(entries: dict[str, Entry]) -> None:
    assert entries["os.path.split"].signature == "(p)"
    assert entries["textwrap.TextWrapper.wrap"].signature == "(text)"
    assert entries["math.sqrt"].signature == "(x, /)"
    assert entries["json"].signature == ""
    assert entries["time.perf_counter"].doc.startswith("Performance counter")


def test_another_process_finds_the_same_and_imports_nothing_that_is_parsed(
    entries: dict[str, Entry],
) -> None:
    code = """
        import sys, zlib
        from gpudb.cli import stdlib_docs
        before = set(sys.modules)
        rows = stdlib_docs.standard_library_entries()
        print(*sorted(set(sys.modules) - before))
        print(zlib.crc32(repr([r for r in rows if r.module != "sys"]).encode()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    modules, checksum = done.stdout.splitlines()
    assert set(modules.split()) <= set(COMPILED)
    rows = [e for e in entries.values() if e.module != "sys"]  # pytest puts hooks of its own there
    assert int(checksum) == zlib.crc32(repr(rows).encode())


def test_table_is_text_only(tmp_path: Path) -> None:
    _write(tmp_path / "a.py", b"'''First.'''\ndef f(x): 'Second.'\n")
    table = standard_library_table(tmp_path)
    assert {str(t) for t in table.schema.types} == {"string"}
    assert table.to_pylist() == [
        {"module": "a", "name": "a", "kind": "module", "signature": "", "doc": "First."},
        {"module": "a", "name": "a.f", "kind": "function", "signature": "(x)", "doc": "Second."},
    ]


def test_strange_files(tmp_path: Path) -> None:
    _write(tmp_path / "latin.py", b"# coding: latin-1\n'''caf\xe9'''\n")
    _write(tmp_path / "surrogate.py", b"'''half \\ud83d of an emoji \\U0001f600'''\n")
    _write(tmp_path / "escape.py", b"'''an old \\d escape'''\n")
    _write(tmp_path / "broken.py", b"def (:\n")
    _write(tmp_path / "bytes.py", b"'''\xff\xfe'''\n")
    _write(tmp_path / "nul.py", b"'''a'''\0\n")
    _write(tmp_path / "silent.py", b"x = 1\n")
    _write(tmp_path / "empty.py", b"")
    _write(tmp_path / "test" / "skipped.py", b"'''never'''\n")
    docs = {e.name: e.doc for e in standard_library_entries(tmp_path)}
    assert docs == {
        "latin": "café",
        "surrogate": "half ? of an emoji 😀",
        "escape": "an old \\d escape",
    }


def test_reexports_and_exports(tmp_path: Path) -> None:
    _write(tmp_path / "shop" / "__init__.py", b"from .till import *\nfrom ._back import Safe\n")
    _write(
        tmp_path / "shop" / "till.py",
        b"__all__ = ['pay']\n__all__ += ['Bill']\n"
        b"def pay(a, *, b=1):\n    'Pay.'\n"
        b"def helper():\n    'Not published.'\n"
        b"class Bill:\n    'A bill.'\n    def split(self, n): 'In parts.'\n"
        b"    def _hidden(self): 'No.'\n",
    )
    _write(
        tmp_path / "shop" / "_back.py", b"class Safe:\n    'A safe.'\nclass Key:\n    'A key.'\n"
    )
    _write(
        tmp_path / "platforms.py",
        b"import sys\nif sys.platform == 'x':\n    def f():\n        pass\n"
        b"else:\n    def f(a):\n        'Told.'\n",
    )
    rows = {e.name: (e.module, e.kind, e.signature) for e in standard_library_entries(tmp_path)}
    assert rows == {
        "shop.pay": ("shop", "function", "(a, *, b=1)"),
        "shop.Bill": ("shop", "class", ""),
        "shop.Bill.split": ("shop", "method", "(n)"),
        "shop.Safe": ("shop", "class", ""),
        "platforms.f": ("platforms", "function", "(a)"),
    }


def test_folder_without_documentation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no documented Python module under"):
        standard_library_table(tmp_path)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
