"""What every benchmark shares: turns, medians, and where the texts come from."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pyarrow as pa

import gpudb
from gpudb.cli.stdlib_docs import distinct_docs
from gpudb.cli.turns import take_turns
from gpudb.machine import machine_key

__all__ = ["installed", "report", "save", "take_turns", "texts"]


def texts(count: int) -> list[str]:
    """Distinct documentation strings of Python's standard library, evenly from all modules."""
    return distinct_docs(count)


def report(seconds: Mapping[str, list[float]], units: int, unit: str, ours: str) -> str:
    """A table: median, spread, units per second, and ours over each peer, round by round."""
    lines = [f"{'runner':<24} {'median s':>9} {'min–max':>17} {unit + '/s':>10} {'ratio':>7}"]
    for name, measured in seconds.items():
        median = statistics.median(measured)
        pairs = zip(measured, seconds[ours], strict=True)
        ratio = statistics.median(theirs / own for theirs, own in pairs)
        spread = f"{min(measured):.3f}–{max(measured):.3f}"
        lines.append(
            f"{name:<24} {median:>9.3f} {spread:>17} {units / median:>10,.1f} {ratio:>7.2f}"
        )
    lines.append(f"ratio: median over the rounds of the runner's time divided by that of {ours}")
    return "\n".join(lines)


def save(
    folder: Path, name: str, seconds: Mapping[str, Mapping[str, list[float]]], **more: object
) -> None:
    """Write what was measured, and on what, as JSON; ``more`` goes beside the seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "gpudb": gpudb.__version__,
        **installed("numba", "torch"),
        "key": machine_key(),
    }
    text = json.dumps({"machine": machine, "seconds": seconds, **more}, indent=2)
    (folder / f"{name}.json").write_text(text + "\n")


def installed(*packages: str) -> dict[str, str]:
    """Versions of the packages that are there."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
