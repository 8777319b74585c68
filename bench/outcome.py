"""What a comparison found, as a table, as JSON and as a picture."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from interpreters import versions
from peers.peer import Peer
from quiet import Measured

import gpudb
from gpudb.config import available_threads
from gpudb.machine import machine_key

OURS = "gpudb"


@dataclass(frozen=True)
class Line:
    """One runtime in one comparison."""

    name: str
    precision: str
    cosine: tuple[float, float] | None
    """Smallest and mean with the reference, where that is how answers are compared."""
    measured: Sequence[Measured]
    peak_nbytes: int = 0

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(m.seconds for m in self.measured)

    @property
    def ours(self) -> bool:
        """Whether this is gpudb."""
        return self.name.startswith(OURS)

    def times_faster(self, other: Line) -> float:
        """Time of the other over its own: median over the rounds."""
        pairs = zip(other.measured, self.measured, strict=True)
        return statistics.median(theirs.seconds / own.seconds for theirs, own in pairs)


@dataclass(frozen=True)
class Comparison:
    """Runtimes over the same inputs in the same rounds."""

    key: str
    title: str
    units: int
    """How many of ``unit`` a run works off."""
    unit: str
    flops: float
    """Operations of a run's products, without padding."""
    limits: Mapping[str, float]
    """GFLOP/s of products alone by precision, measured in the same rounds."""
    lines: Sequence[Line]
    notes: Sequence[str] = field(default_factory=tuple)

    def best_peer(self, precision: str) -> Line | None:
        """The fastest of the others at a precision; where none has it, at float32."""
        peers = [line for line in self.lines if not line.ours]
        same = [line for line in peers if line.precision == precision]
        exact = [line for line in peers if line.precision == "float32"]
        return min(same or exact, key=lambda line: line.median, default=None)

    def text(self) -> str:
        """A table, a paragraph above and one below."""
        head = (
            f"{'runtime':<34} {'cos min':>8} {'mean':>8} {'median s':>9} {'min–max':>15} "
            f"{self.unit + '/s':>10} {'GFLOP/s':>8} {'of limit':>8} {'x best peer':>11} "
            f"{'disturbed':>9} {'peak MB':>8}"
        )
        rows = [self._row(line) for line in self.lines]
        limits = ", ".join(f"{name} {rate:,.0f}" for name, rate in self.limits.items())
        best = {p: self.best_peer(p) for p in dict.fromkeys(line.precision for line in self.lines)}
        named = ", ".join(f"{p} {line.name}" for p, line in best.items() if line is not None)
        return "\n".join(
            [
                f"\n{self.title}: {self.units:,} {self.unit}, {self.flops / 1e9:,.1f} GFLOP a run",
                head,
                *rows,
                f"limit: products alone, GFLOP/s: {limits or 'not measured'}",
                f"x best peer: its time over this one's, median over the rounds: {named or 'none'}",
                *self.notes,
            ]
        )

    def _row(self, line: Line) -> str:
        seconds = [m.seconds for m in line.measured]
        rate = self.flops / line.median / 1e9
        limit = self.limits.get(line.precision)
        best = self.best_peer(line.precision)
        least, mean = (f"{c:.5f}" for c in line.cosine) if line.cosine else ("-", "-")
        return (
            f"{line.name:<34} {least:>8} {mean:>8} {line.median:>9.4f} "
            f"{f'{min(seconds):.3f}–{max(seconds):.3f}':>15} {self.units / line.median:>10,.1f} "
            f"{rate:>8,.1f} {f'{rate / limit:.0%}' if limit else '-':>8} "
            f"{f'{line.times_faster(best):.2f}' if best else '-':>11} "
            f"{f'{sum(not m.quiet for m in line.measured)} of {len(seconds)}':>9} "
            f"{f'{line.peak_nbytes / 1e6:,.0f}' if line.peak_nbytes else '-':>8}"
        )


def save(folder: Path, name: str, content: Mapping[str, Any], peers: Sequence[Peer]) -> None:
    """Write what was measured, on what and with what, as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    packages = {"gpudb": gpudb.__version__}
    for peer in peers:
        packages |= versions(peer)
    machine = {
        "machine": machine_key(),
        "threads": available_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
        "versions": packages,
    }
    text = json.dumps({"machine": machine, **content}, indent=1)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def as_data(comparison: Comparison) -> dict[str, Any]:
    """For JSON, with the medians worked out."""
    medians = {line.name: line.median for line in comparison.lines}
    return {**asdict(comparison), "medians": medians}


def plot(path: Path, comparisons: Sequence[Comparison]) -> str:
    """One row of bars for each comparison; why not, where there is none."""
    try:
        import matplotlib
    except ImportError:
        return "no plot: matplotlib is not installed; pip install -e '.[bench]'"
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    height = sum(1.2 + 0.28 * len(c.lines) for c in comparisons)
    figure, axes = plt.subplots(
        len(comparisons),
        1,
        figsize=(9, height),
        squeeze=False,
        layout="constrained",
        height_ratios=[1.2 + 0.28 * len(c.lines) for c in comparisons],
    )
    for axis, comparison in zip(axes[:, 0], comparisons, strict=True):
        lines = sorted(comparison.lines, key=lambda line: -line.median)
        rates = [comparison.units / line.median for line in lines]
        colours = ["tab:orange" if line.ours else "tab:grey" for line in lines]
        bars = axis.barh([line.name for line in lines], rates, color=colours)
        axis.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=3)
        axis.set(title=comparison.title, xlabel=f"{comparison.unit}/s")
        axis.margins(x=0.12)
    figure.savefig(path)
    return f"wrote {path}"
