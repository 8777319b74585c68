"""Time of every runtime over gpudb's, cell by cell, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from outcome import Comparison


def plot_ratios(path: Path, comparisons: Sequence[Comparison], ours: str) -> str:
    """A panel for each width; above 1 gpudb is faster. Why not, where there is none."""
    try:
        import matplotlib
    except ImportError:
        return "no plot: matplotlib is not installed; pip install -e '.[bench]'"
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    widths = list(dict.fromkeys(_width(c) for c in comparisons))
    figure, axes = plt.subplots(
        len(widths), 1, figsize=(9, 3.2 * len(widths)), squeeze=False, layout="constrained"
    )
    for axis, width in zip(axes[:, 0], widths, strict=True):
        cells = [c for c in comparisons if _width(c) == width]
        titles = [c.key.partition("/")[2] for c in cells]
        for name in dict.fromkeys(line.name for c in cells for line in c.lines):
            axis.plot(titles, [_ratio(c, name, ours) for c in cells], marker="o", label=name)
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set(yscale="log", title=f"width {width}", ylabel=f"time over {ours}")
        axis.tick_params(axis="x", labelrotation=45)
    axes[0, 0].legend(fontsize="small", ncols=3)
    figure.savefig(path)
    return f"wrote {path}"


def _width(comparison: Comparison) -> str:
    return comparison.key.partition("/")[0]


def _ratio(comparison: Comparison, name: str, ours: str) -> float:
    lines = {line.name: line for line in comparison.lines}
    if name not in lines or ours not in lines:
        return float("nan")
    return lines[ours].times_faster(lines[name])
