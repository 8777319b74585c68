"""What the comparisons with other frameworks share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

# transformers asks whether a package called `kernels` is installed (Hugging Face has one) and would
# find our folder of that name at the top of the repository. None says: not installed.
sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]

Report = Callable[[str], None]

FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(autouse=True)
def same_models_in_every_run() -> None:
    """Random weights do not depend on the run, nor on the tests before."""
    with suppress(ImportError):
        import torch

        torch.manual_seed(0)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Put a measured figure into the summary at the end of the run."""
    name = request.node.name

    def add(figure: str) -> None:
        request.config.stash.setdefault(FIGURES, []).append(f"{name}: {figure}")

    return add


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if figures := config.stash.get(FIGURES, []):
        terminalreporter.section("measured differences")
        for figure in figures:
            terminalreporter.line(figure)
