"""Who may import whom, and what ``import gpudb`` may cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for d in ("gpudb", "kernels", "catalog") for p in (ROOT / d).rglob("*.py"))
GPU_LIBRARIES = {"cupy", "cupyx", "cudf", "pylibcudf", "rmm"}
HEAVY = ("numpy", "pyarrow", "duckdb", "sqlglot", "rich", "tokenizers", "pandas", "polars")


def test_imports_point_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


def test_only_the_cuda_backend_imports_gpu_libraries() -> None:
    allowed = ROOT / "gpudb" / "backend" / "cuda"
    offenders = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if allowed not in path.parents and GPU_LIBRARIES & _imported(path)
    }
    assert offenders == set()
    assert len(SOURCES) > 10


def _imported(path: Path) -> set[str]:
    """Top-level packages that a file imports anywhere, functions included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", ["gpudb", "gpudb.cli.parser"])
def test_import_is_light(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    folder = re.compile(rb"(?<![\w.])/(?:home|root|work|Users)/\w")
    files = [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    offenders = [str(f.relative_to(ROOT)) for f in files if folder.search(f.read_bytes())]
    assert offenders == []
    assert files
