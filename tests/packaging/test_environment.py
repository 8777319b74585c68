"""environment.yml, the Makefile and pyproject.toml say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA_NAMES = {
    "duckdb": "python-duckdb",  # conda-forge's `duckdb` is the command line alone
    "opt-einsum": "opt_einsum",
}


def _conda_requirements() -> dict[str, SpecifierSet]:
    """Package -> range, from the lines ``  - name range`` below ``dependencies:``."""
    text = (ROOT / "environment.yml").read_text()
    lines = re.findall(r"^  - ([a-z0-9_-]+)(.*)$", text.partition("dependencies:")[2], re.M)
    ranges = {n: re.sub(r"^=([^=].*)$", r"==\1.*", spec.strip()) for n, spec in lines}
    return {name: SpecifierSet(spec) for name, spec in ranges.items()}


CONDA = _conda_requirements()


def _requirements(texts: list[str]) -> dict[str, SpecifierSet]:
    return {r.name: r.specifier for r in map(Requirement, texts)}


def test_channels_are_those_of_rapids() -> None:
    channels = re.findall(r"^  - (\S+)$", _section("channels"), re.M)
    assert channels == ["rapidsai", "conda-forge", "nvidia"]


def _section(name: str) -> str:
    text = (ROOT / "environment.yml").read_text()
    return re.search(rf"^{name}:\n((?:  .*\n)+)", text, re.M)[1]  # type: ignore[index]


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_every_base_dependency_has_the_same_range(text: str) -> None:
    requirement = Requirement(text)
    name = CONDA_NAMES.get(requirement.name, requirement.name)
    assert CONDA[name] == requirement.specifier


@pytest.mark.parametrize("extra", ["cu12", "cu13"])
def test_gpu_stack_has_the_pins_of_the_extras(extra: str) -> None:
    pins = _requirements(EXTRAS[extra])
    for name, pin in pins.items():
        conda_name = re.sub(r"-cu(da)?1[23]x?$", "", name)
        assert CONDA[conda_name] == pin, name
    assert {"cupy", "cudf", "pylibcudf", "rmm"} <= set(CONDA)


@pytest.mark.parametrize("name", ["pytest", "pytest-cov", "hypothesis", "safetensors"])
def test_test_tools_have_the_ranges_of_dev(name: str) -> None:
    assert CONDA[name] == _requirements(EXTRAS["dev"])[name]


def test_python_range() -> None:
    assert CONDA["python"] == SpecifierSet(PROJECT["requires-python"])


def test_makefile_installs_the_pinned_model_and_torch() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (model,) = EXTRAS["demo"]
    torch = next(t for t in EXTRAS["oracles"] if t.startswith("torch=="))
    assert f"MODEL_PACKAGE := {model}\n" in makefile
    assert f"TORCH := {torch}\n" in makefile
