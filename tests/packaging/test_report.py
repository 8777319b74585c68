"""The report on tests that did not run, and the run that must not skip an oracle."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = "[pytest]\nmarkers =\n  oracle: x\n  gpu: x\n  install: x\n"
PLAIN = "def test_plain(): assert True\n"
ORACLE = "import pytest\n@pytest.mark.oracle\ndef test_oracle(): assert True\n"
SKIPPED = "import pytest\n@pytest.mark.oracle\ndef test_skipped(): pytest.skip('no torch')\n"
SKIPPED_FILE = "import pytest\npytest.importorskip('no_such_library')\n"
FAILING = "import pytest\n@pytest.mark.oracle\ndef test_failing(): assert False\n"


def _pytest(folder: Path, source: dict[str, str], *options: str) -> tuple[int, str]:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", folder)
    (folder / "pytest.ini").write_text(SETTINGS)
    for name, text in source.items():
        (folder / f"test_{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    found = {"PYTHONPATH": str(Path(__file__).parents[2])}  # what conftest.py imports
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=os.environ | found
    )
    return done.returncode, done.stdout


def test_tests_left_out_are_counted_at_the_end(tmp_path: Path) -> None:
    source = {"plain": PLAIN, "oracle": ORACLE, "skipped": SKIPPED}
    code, text = _pytest(tmp_path, source, "-m", "not oracle")
    assert code == 0
    assert text.splitlines()[-2] == "Tests not run: 2 oracle (make test-oracles)"
    code, text = _pytest(tmp_path, source)
    assert code == 0
    assert text.splitlines()[-2] == "Tests not run: 1 oracle (make test-oracles)"


def test_nothing_left_out_is_not_mentioned(tmp_path: Path) -> None:
    code, text = _pytest(tmp_path, {"plain": PLAIN, "oracle": ORACLE})
    assert code == 0
    assert "Tests not run" not in text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"oracle": ORACLE, "plain": PLAIN}, 0),
        ({"oracle": ORACLE, "skipped": SKIPPED}, 1),
        ({"oracle": ORACLE, "file": SKIPPED_FILE}, 1),
        ({"oracle": ORACLE, "failing": FAILING}, 1),
        ({"skipped": SKIPPED}, 1),
        ({"plain": PLAIN}, 1),
    ],
)
def test_no_oracle_may_be_skipped(tmp_path: Path, source: dict[str, str], expected: int) -> None:
    code, text = _pytest(tmp_path, source, "-m", "oracle", "--no-oracle-skips")
    assert code == expected, text
    assert ("Failed: " in text) == (expected == 1 and "failing" not in source)
