"""Everything here proves CUDA code, and is marked so. Test files import neither CuPy nor NVRTC when
they are collected: ``nvrtc.py`` looks for its library when something is compiled.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cuda.host import build

HERE = Path(__file__).parent
ELSEWHERE = ("gpu", "cudf")
"""Marks of tests that need a GPU, or all of cuDF."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and not any(map(item.get_closest_marker, ELSEWHERE)):
            item.add_marker(pytest.mark.proof)


@pytest.fixture(scope="session", autouse=True)
def kept_builds(pytestconfig: pytest.Config) -> None:
    """What is compiled for the host is kept between runs."""
    if pytestconfig.cache is not None:
        build.FOLDER = pytestconfig.cache.mkdir("cuda-host")
