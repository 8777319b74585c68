"""Settings from the environment, and sizes as text."""

from __future__ import annotations

import os
from typing import Any

import pytest

from gpudb.config import Config, available_threads, parse_nbytes
from gpudb.errors import InputError


def test_nothing_set_is_the_defaults() -> None:
    assert Config.from_environment({}) == Config("auto", 0, 0, True)


def test_everything_set() -> None:
    environ = {
        "GPUDB_DEVICE": "numpy",
        "GPUDB_THREADS": "3",
        "GPUDB_TOKEN_BUDGET": "1",
        "GPUDB_VERIFY_PAGES": "0",
        "GPUDB_OTHER": "x",
    }
    assert Config.from_environment(environ) == Config("numpy", 3, 1, False)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUDB_TOKEN_BUDGET", "77")
    assert Config.from_environment().token_budget == 77


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("yes", True), ("false", False), ("no", False)]
)
def test_verify_pages_and_history(text: str, expected: bool) -> None:
    assert Config.from_environment({"GPUDB_VERIFY_PAGES": text}).verify_pages is expected
    assert Config.from_environment({"GPUDB_HISTORY": text}).history is expected


@pytest.mark.parametrize(
    ("name", "text", "least"),
    [
        ("GPUDB_THREADS", "-1", 0),
        ("GPUDB_THREADS", "two", 0),
        ("GPUDB_THREADS", "", 0),
        ("GPUDB_THREADS", "1.5", 0),
        ("GPUDB_TOKEN_BUDGET", "0", 1),
    ],
)
def test_bad_numbers_name_the_variable(name: str, text: str, least: int) -> None:
    with pytest.raises(InputError, match=f"{name} is {text!r}.*at least {least}"):
        Config.from_environment({name: text})


@pytest.mark.parametrize(
    ("size", "nbytes"),
    [
        (1, 1),
        (12345, 12345),
        ("12345", 12345),
        ("1B", 1),
        ("1kB", 1000),
        ("1 KiB", 1024),
        ("512MB", 512 * 1000**2),
        ("4GiB", 4 * 1024**3),
        (" 1.5 gb ", 1_500_000_000),
        ("2t", 2 * 1000**4),
        (2**53 + 1, 2**53 + 1),  # more than a float holds exactly
    ],
)
def test_sizes(size: int | str, nbytes: int) -> None:
    assert parse_nbytes(size) == nbytes


@pytest.mark.parametrize(
    "size",
    [0, -1, True, False, None, "", "GB", "-1GB", "1 PB", "1e9", "0.5", "1,5GB", "9" * 400, [1]],
)
def test_bad_sizes_are_named(size: Any) -> None:
    with pytest.raises(InputError) as caught:
        parse_nbytes(size)
    assert f"memory_limit is {size!r}" in str(caught.value)
    assert "'4GB'" in str(caught.value)


def test_threads_are_those_this_process_may_use() -> None:
    assert 1 <= available_threads() <= (os.cpu_count() or 1)
