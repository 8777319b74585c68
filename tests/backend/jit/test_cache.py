"""Machine code on disk: compiled once, anew where sources changed, and never needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import config, types
from numba.core.caching import CompileResultCacheImpl, IndexDataCacheFile, UserProvidedCacheLocator

from gpudb.backend.jit import compiled
from gpudb.cli import main
from gpudb.kernels import elementwise
from tests import children

COMPILED, FOUND = (0, 1), (1, 0)
"""How often machine code was found on disk, and how often not."""

CHILD = """
import sys
from numba import config
config.CACHE_DIR = sys.argv[1]
import numpy as np
from gpudb.backend.jit import pooling
x, job = np.zeros((3, 2), np.float32), np.zeros(pooling.POOLING.itemsize // 8, np.int64)
pooling.describe(job, x, np.array([0, 1, 3]), x)
assert job.view(pooling.POOLING)[["rows", "width", "sequences"]].item() == (3, 2, 2)
stats = pooling.describe.stats
print((sum(stats.cache_hits.values()), sum(stats.cache_misses.values())))
"""


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def twice(x: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = x[i] + x[i]


def compile_one() -> tuple[int, int]:
    """Compile a function as the backend does, call it; how its machine code came about."""
    parameters = (compiled.array(types.float32), compiled.written(types.float32, 1))
    function: Any = compiled.compiled(*parameters)(twice)
    out = np.empty(3, np.float32)
    function(np.arange(3, dtype=np.float32), out)
    assert out.tolist() == [0, 2, 4]
    stats = function.stats
    return sum(stats.cache_hits.values()), sum(stats.cache_misses.values())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where machine code is kept."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_processes_at_once_and_one_after_them(tmp_path: Path) -> None:
    both = [children.start(CHILD, tmp_path) for _ in range(2)]
    for child in both:
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        assert out.strip() in (str(COMPILED), str(FOUND))
    before = files(tmp_path)
    assert sorted(name.rpartition(".")[2] for name in before) == ["nbc", "nbi"]
    assert children.run(CHILD, tmp_path).strip() == str(FOUND)
    assert files(tmp_path) == before


def test_changed_sources_are_compiled_anew_and_both_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (compile_one(), compile_one()) == (COMPILED, FOUND)
    with monkeypatch.context() as changed:
        changed.setattr(compiled, "_SOURCES", "changed")
        assert (compile_one(), compile_one()) == (COMPILED, FOUND)
    assert compile_one() == FOUND
    assert len(files(folder)) == 3


def test_every_file_is_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("compiled.py", "tile.py", "kernels/pool.py", "elementwise.py")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    outside = tmp_path.parent / f"{tmp_path.name} elementwise.py"
    outside.write_text("y = 1\n")
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "compiled.py"))
    monkeypatch.setattr(elementwise, "__file__", str(outside))
    digests = {compiled._digest()}
    for path in (*(tmp_path / name for name in names), outside, tmp_path / "added.py"):
        path.write_text("z = 2\n")
        digests.add(compiled._digest())
    assert len(digests) == 7


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("kept", [0, 0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_made_again(folder: Path, ending: str, kept: float) -> None:
    assert compile_one() == COMPILED
    (path,) = folder.rglob(f"*.{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert (compile_one(), compile_one()) == (COMPILED, FOUND)


def test_without_a_folder_that_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", f"{os.devnull}/code")
    monkeypatch.setattr(CompileResultCacheImpl, "_locator_classes", [UserProvidedCacheLocator])
    assert (compile_one(), compile_one()) == (COMPILED, COMPILED)
    assert compiled.code_folder() is None


@pytest.mark.parametrize("write", ["_save_data", "_save_index"])
def test_a_full_disk_is_done_without(
    folder: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as changed:
        changed.setattr(IndexDataCacheFile, write, full)
        assert (compile_one(), compile_one()) == (COMPILED, COMPILED)
    assert (compile_one(), compile_one()) == (COMPILED, FOUND)


@pytest.mark.parametrize("found", ["some/folder", None])
def test_doctor_says_where_machine_code_is_kept(
    found: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiled, "code_folder", lambda: found)
    assert main(["doctor"]) == 0
    said = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert ("kept in some/folder" if found else "NUMBA_CACHE_DIR") in said["jit"]


def test_doctor_says_why_nothing_is_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    assert main(["doctor"]) == 0
    assert "not available: NUMBA_DISABLE_JIT is set" in capsys.readouterr().out


def test_the_folder_of_this_process_is_there() -> None:
    assert Path(compiled.code_folder() or "").is_dir()
