"""A wheel and an editable install, each in a fresh environment, used from another folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROBES = ("kernels/probe.cu", "kernels/sub/probe.cuh")
CHECKS = """
import sys
from importlib.resources import files
import gpudb, gpudb.kernels, gpudb.catalog
assert gpudb.__file__.startswith(sys.argv[1]), gpudb.__file__
assert (files("gpudb.kernels") / "probe.cu").read_text() == "probe.cu"
assert (files("gpudb.kernels") / "sub" / "probe.cuh").read_text() == "probe.cuh"
migrations = files("gpudb.catalog") / "migrations"
names = sorted(m.name for m in migrations.iterdir() if m.name.endswith(".sql"))
assert names and all("CREATE" in (migrations / n).read_text().upper() for n in names[:1]), names
import kernels
print(kernels.OWNER)
"""

pytestmark = pytest.mark.install


def _run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the checkout without what git ignores, links kept, with two files more."""
    copy = tmp_path / "a copy"
    listed = _run("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        target = copy / name
        if not os.path.lexists(ROOT / name):
            continue  # deleted, and not committed yet
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    assert (copy / "gpudb" / "kernels").is_symlink()
    for probe in PROBES:
        (copy / probe).parent.mkdir(exist_ok=True)
        (copy / probe).write_text(Path(probe).name)
    return copy


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """The Python of an environment that finds the dependencies here, but no gpudb.

    A path file adds this environment's packages at the end; its editable gpudb stays out, because
    path files of added folders are not read. A package ``kernels`` stands for Hugging Face's.
    """
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    packages = _packages(folder)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (packages / "kernels").mkdir()
    (packages / "kernels" / "__init__.py").write_text('OWNER = "somebody else"\n')
    return folder / "bin" / "python"


def _packages(environment: Path) -> Path:
    (packages,) = environment.glob("lib/python*/site-packages")
    return packages


def _install(python: Path, *what: str | Path, cwd: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    _run(*pip, "install", "--quiet", "--no-deps", *what, cwd=cwd)


def _check(python: Path, home: Path, cwd: Path) -> None:
    assert _run(python, "-c", CHECKS, home, cwd=cwd) == "somebody else\n"
    assert "COMMAND" in _run(python.with_name("gpudb"), "--help", cwd=cwd)


def test_wheel(source: Path, fresh: Path, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    _run(sys.executable, "-m", "build", "--outdir", dist, source, cwd=tmp_path)
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {n.partition("/")[0] for n in names}
    modules = {f"gpudb/kernels/{p.name}" for p in (ROOT / "kernels").glob("*.py")}
    migrations = {f"gpudb/{p.relative_to(ROOT)}" for p in (ROOT / "catalog").rglob("*.sql")}
    assert tops == {"gpudb", wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"}
    assert {"gpudb/py.typed", *(f"gpudb/{p}" for p in PROBES)} <= names
    assert modules <= names
    assert migrations
    assert migrations <= names

    _install(fresh, wheel, cwd=tmp_path)
    _check(fresh, _packages(fresh.parents[1]), cwd=tmp_path)


def test_editable(source: Path, fresh: Path, tmp_path: Path) -> None:
    _install(fresh, "--editable", source, cwd=tmp_path)
    _check(fresh, source, cwd=tmp_path)
    (source / "kernels" / "added_later.py").write_text("ANSWER = 42\n")
    (source / "catalog" / "migrations" / "9999_added.sql").write_text("SELECT 42;\n")
    code = (
        "from importlib.resources import files\n"
        "from gpudb.kernels.added_later import ANSWER\n"
        "added = files('gpudb.catalog') / 'migrations' / '9999_added.sql'\n"
        "print(ANSWER, added.read_text().strip())"
    )
    assert _run(fresh, "-c", code, cwd=tmp_path) == "42 SELECT 42;\n"
