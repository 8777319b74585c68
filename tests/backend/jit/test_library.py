"""Compiled code on disk: made once, anew where sources changed, and never needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.backend.jit import library
from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.compiled import build
from gpudb.backend.jit.probe import obstacle
from gpudb.backend.jit.target import Processor
from gpudb.cli import main
from gpudb.errors import DeviceError
from gpudb.kernels import elementwise
from tests import children

CHILD = """
import sys
import numpy as np
from gpudb.backend import open_backend
backend = open_backend("jit")
x, weight = np.eye(3, dtype=np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)
assert backend.matmul(x, backend.pack(weight), True).tolist() == weight.T.tolist()
print("numba" in sys.modules)
"""
"""Says whether it compiled."""

NO_MEMORY = """
import resource
import numpy as np
from gpudb.backend import open_backend
from gpudb.kernels.attention import attention
backend, rows = open_backend("jit"), 1_000_000
x, offsets = np.zeros((rows, 3), np.float32), np.array([0, rows])
q, k, v = x[:, :1], x[:, 1:2], x[:, 2:]
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (64 << 20),) * 2)
try:
    backend.call(attention, q, k, v, offsets, 1, 1.0)
except MemoryError as error:
    print(error)
with backend.together(2):
    try:
        backend.call(attention, q, k, v, offsets, 1, 1.0)
    except MemoryError as error:
        print(error)
    found = backend.call(attention, q[:3], k[:3], v[:3], np.array([0, 3]), 1, 1.0)
print(found.tolist())
"""


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def code() -> bytes:
    """Of this processor, compiled once."""
    library.library()
    path = library.code_file()
    assert path is not None, "no folder for code can be written here"
    return path.read_bytes()[library.DIGEST :]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where code is kept, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "some"))
    return tmp_path / "some" / "gpudb" / "code"


@pytest.fixture
def compiled(code: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What was compiled; the compiler, which takes half a minute, is stood in for."""
    made: list[bytes] = []

    def object_code() -> bytes:
        made.append(code)
        return code

    monkeypatch.setattr(build, "object_code", object_code)
    yield made
    library._library.cache_clear()


def times_compiled(compiled: list[bytes]) -> int:
    """Open the library as a new process does, and use it; how often code was compiled."""
    compiled.clear()
    library._library.cache_clear()
    backend, x = JitBackend(), np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(backend.matmul(x, backend.pack(2 * x), True), 2 * x)
    return len(compiled)


def test_processes_at_once_and_one_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    both = [children.start(CHILD) for _ in range(2)]
    for child in both:
        out, err = child.communicate(timeout=300)
        assert child.returncode == 0, err
        assert out.strip() == "True"
    kept = files(tmp_path)
    assert [name.rpartition(".")[2] for name in kept] == ["o"]
    assert children.run(CHILD).strip() == "False"
    assert files(tmp_path) == kept


def test_threads_at_once_compile_once(folder: Path, compiled: list[bytes]) -> None:
    library._library.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: library.library(), range(4)))
    assert all(each is found[0] for each in found)
    assert len(compiled) == len(files(folder)) == 1


def test_changed_sources_are_compiled_anew_and_both_are_kept(
    folder: Path, compiled: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (times_compiled(compiled), times_compiled(compiled)) == (1, 0)
    with monkeypatch.context() as changed:
        changed.setattr(library, "_digest", lambda: "0" * 64)
        assert (times_compiled(compiled), times_compiled(compiled)) == (1, 0)
    assert times_compiled(compiled) == 0
    assert len(files(folder)) == 2


def test_every_file_the_processor_and_numba_are_part_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("library.py", "compiled/tile.py", "kernels/pool.py", "elementwise.py")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    outside = tmp_path.parent / f"{tmp_path.name} elementwise.py"
    outside.write_text("y = 1\n")
    monkeypatch.setattr(library, "__file__", str(tmp_path / "library.py"))
    monkeypatch.setattr(elementwise, "__file__", str(outside))
    digests = {library._digest()}
    for path in (*(tmp_path / name for name in names), outside, tmp_path / "added.py"):
        path.write_text("z = 2\n")
        digests.add(library._digest())
    assert len(digests) == 7
    for name, value in (("PROCESSOR", Processor("a", "b", "c")), ("version", lambda _: "0.0")):
        monkeypatch.setattr(library, name, value)
        digests.add(library._digest())
    assert len(digests) == 9


@pytest.mark.parametrize("kept", [0, 0.0001, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_made_again(
    folder: Path, compiled: list[bytes], kept: float
) -> None:
    assert times_compiled(compiled) == 1
    (path,) = folder.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert (times_compiled(compiled), times_compiled(compiled)) == (1, 0)
    assert path.read_bytes() == content


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system has other permissions")
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_code_that_others_could_have_written_is_not_run(
    folder: Path, compiled: list[bytes], mode: int
) -> None:
    assert (times_compiled(compiled), times_compiled(compiled)) == (1, 0)
    assert library.code_folder() == folder
    folder.chmod(mode)
    assert library.code_folder() is None
    assert times_compiled(compiled) == 1
    folder.chmod(0o755)
    assert times_compiled(compiled) == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system has other permissions")
def test_a_folder_of_somebody_else_is_not_used(
    folder: Path, compiled: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert times_compiled(compiled) == 1
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert library.code_folder() is None


def test_without_a_folder_that_can_be_written(
    compiled: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", f"{os.devnull}/code")
    assert library.code_folder() is None
    assert (times_compiled(compiled), times_compiled(compiled)) == (1, 1)


def test_a_full_disk_is_done_without(
    folder: Path, compiled: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as changed:
        changed.setattr(Path, "replace", full)
        assert (times_compiled(compiled), times_compiled(compiled)) == (1, 1)
        assert not files(folder)
    assert (times_compiled(compiled), times_compiled(compiled)) == (1, 0)


@pytest.mark.parametrize("value", ["1", "0", ""])
def test_numba_switched_off_is_an_obstacle(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = obstacle()
    monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
    assert obstacle() == ("NUMBA_DISABLE_JIT is set" if value == "1" else before)


def test_numba_set_to_another_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PROCESSOR", Processor("x86_64", "haswell", "+avx2"))
    with pytest.raises(DeviceError, match=r"gpudb for haswell.*NUMBA_CPU_NAME"):
        build.object_code()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_without_memory_a_job_fails_and_the_next_one_runs() -> None:
    first, second, found = children.run(NO_MEMORY).splitlines()
    assert first == second
    assert first.startswith("no memory for what compiled code works in; fewer threads")
    assert found == "[[0.0], [0.0], [0.0]]"


@pytest.mark.parametrize("found", ["some/folder", None])
def test_doctor_says_where_code_is_kept(
    found: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(library, "code_folder", lambda: found)
    assert main(["doctor"]) == 0
    said = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert ("kept in some/folder" if found else "XDG_CACHE_HOME") in said["jit"]
