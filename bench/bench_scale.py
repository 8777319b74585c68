"""How cost grows: with texts, tokens of a text, width, layers, and models in the database.

Each sweep changes one thing. Its slope is that of the logarithms: 1 where twice as much takes
twice as long, 0 where it takes no longer. What is counted (operations) says what to expect; fixed
costs make small sizes flatter.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import save, take_turns
from random_model import distinct_texts, write_model

import gpudb
from gpudb.cli.devices import available
from gpudb.cli.measure import measure
from gpudb.machine import Ceilings

TOLERANCE = 1e-4
"""Largest difference between devices: float32 sums in another order, vectors of length 1."""


@dataclass(frozen=True)
class Case:
    """One point of a sweep."""

    texts: int
    tokens: int
    width: int
    layers: int


@dataclass(frozen=True)
class Sweep:
    """One thing that changes."""

    name: str
    values: Sequence[int]
    tiny: Sequence[int]
    case: Callable[[int], Case]
    expected: str


SWEEPS = (
    Sweep("texts", (100, 300, 1000, 3000, 10_000, 30_000, 100_000), (10, 30),
          lambda n: Case(n, 10, 24, 2),
          "1: every distinct text is worked on once; below, what a call costs by itself"),
    Sweep("tokens of a text", (8, 16, 32, 64, 128, 256, 512), (8, 16),
          lambda n: Case(64, n, 64, 2),
          "1 while products take the time, towards 2 as attention does (from 6 × width tokens)"),
    Sweep("width", (32, 64, 128, 256, 512, 1024), (32, 64),
          lambda n: Case(32, 64, n, 2),
          "towards 2: products are width², norms and attention width; narrow ones are flatter"),
    Sweep("layers", (1, 2, 4, 8, 16, 32), (1, 2),
          lambda n: Case(64, 64, 64, n),
          "1: layers do the same; tokenising and pooling come on top once"),
)  # fmt: skip
GUIDES = {"width": 2, "models": 0}
"""Slopes of the dashed lines in the plot; 1 for the other sweeps."""
MODELS = (1, 3, 10, 30, 100)
MODELS_EXPECTED = "0: the catalog finds a model by an index, however many there are"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="one sweep: texts, tokens, width, layers or models")
    parser.add_argument("--out", type=Path, help="folder for scale.json and scale.svg")
    parser.add_argument("--tiny", action="store_true", help="two small sizes, one round")
    args = parser.parse_args()
    rounds = 1 if args.tiny else args.rounds
    ceilings = measure(sizes=[1 << 20], repeats=1 if args.tiny else 5)
    all_seconds: dict[str, dict[str, dict[int, list[float]]]] = {}
    for sweep in SWEEPS:
        if args.only and not sweep.name.startswith(args.only):
            continue
        values = sweep.tiny if args.tiny else sweep.values
        seconds, flops = run(sweep, values, rounds)
        all_seconds[sweep.name] = seconds
        print(f"\n{sweep.name}; expected slope {sweep.expected}")
        print("\n".join(table(sweep.name, seconds, flops, ceilings)), flush=True)
    if not args.only or args.only == "models":
        seconds = run_models(MODELS[:2] if args.tiny else MODELS, min(rounds, 3))
        all_seconds["models"] = seconds
        print(f"\nmodels; expected slope {MODELS_EXPECTED}")
        print("\n".join(table("models", seconds)))
    if args.out is not None:
        named = {
            f"{sweep}, {name}": {str(value): measured for value, measured in points.items()}
            for sweep, runners in all_seconds.items()
            for name, points in runners.items()
        }
        save(args.out, "scale", named)
        plot(args.out / "scale.svg", all_seconds)


def run(
    sweep: Sweep, values: Sequence[int], rounds: int
) -> tuple[dict[str, dict[int, list[float]]], dict[int, int]]:
    """Seconds of each device at each value, and the operations counted at each value."""
    runners: dict[str, Callable[[], object]] = {}
    places: dict[str, tuple[str, int]] = {}
    flops: dict[int, int] = {}
    with TemporaryDirectory(prefix="gpudb-bench-") as folder, ExitStack() as stack:
        for value in values:
            case = sweep.case(value)
            model = write_model(
                Path(folder) / str(value),
                width=case.width,
                layers=case.layers,
                longest=max(16, case.tokens),
            )
            column = distinct_texts(case.texts, case.tokens)
            expected = None
            for device, precision in available("numpy", "jit"):
                if precision != "float32":
                    continue
                db = stack.enter_context(gpudb.connect(device=device, history=False))
                db.import_model(model, "model")
                found = db.embed("model", column)
                vectors = found.numpy("embedding")
                expected = vectors if expected is None else expected
                difference = float(np.abs(vectors - expected).max())
                if not difference <= TOLERANCE or found.stats.tokens != case.texts * case.tokens:
                    sys.exit(f"{sweep.name} {value}, {device}: vectors differ by {difference:.1e}")
                flops[value] = found.stats.flops
                name = f"{device} {value}"
                places[name] = device, value
                runners[name] = lambda db=db, column=column: db.embed("model", column)
        measured = take_turns(runners, rounds)
    seconds: dict[str, dict[int, list[float]]] = {}
    for name, (device, value) in places.items():
        seconds.setdefault(device, {})[value] = measured[name]
    return seconds, flops


def run_models(counts: Sequence[int], rounds: int) -> dict[str, dict[int, list[float]]]:
    """Seconds to import one more model, and to open the database and embed by the newest."""
    seconds: dict[str, dict[int, list[float]]] = {"import": {}, "open and embed": {}}
    for number in range(rounds + 1):
        with TemporaryDirectory(prefix="gpudb-bench-") as folder:
            path = Path(folder) / "db"
            for count in range(1, max(counts) + 1):
                model = write_model(
                    Path(folder) / "model", width=24, layers=2, longest=16, seed=count
                )
                with gpudb.connect(path, device="numpy", history=False) as db:
                    started = time.perf_counter()
                    db.import_model(model, f"model{count}")
                    imported = time.perf_counter() - started
                if count not in counts:
                    continue
                started = time.perf_counter()
                with gpudb.connect(path, device="numpy", history=False) as db:
                    db.embed(f"model{count}", ["w20 w21"])
                opened = time.perf_counter() - started
                if number:  # the first round warms up
                    seconds["import"].setdefault(count, []).append(imported)
                    seconds["open and embed"].setdefault(count, []).append(opened)
    return seconds


def table(
    unit: str,
    seconds: Mapping[str, Mapping[int, list[float]]],
    flops: Mapping[int, int] | None = None,
    ceilings: Ceilings | None = None,
) -> list[str]:
    """Median seconds, the least that the counted operations could take, and slopes."""
    lines = [
        f"{'runner':<15} {unit:>16} {'median s':>10} {'min–max':>17} {'floor s':>9} "
        f"{'slope':>6} {'of operations':>13}"
    ]
    for name, points in seconds.items():
        medians = {value: statistics.median(measured) for value, measured in points.items()}
        rates = ceilings.computing(name) if ceilings else None
        before = None
        for value, measured in points.items():
            spread = f"{min(measured):.4f}–{max(measured):.4f}"
            floor = f"{flops[value] / rates.all / 1e9:9.4f}" if flops and rates else f"{'-':>9}"
            slopes = f"{'-':>6} {'-':>13}"
            if before is not None:
                counted = slope(flops, before, value) if flops else None
                slopes = f"{slope(medians, before, value):>6.2f} " + (
                    f"{counted:>13.2f}" if counted is not None else f"{'-':>13}"
                )
            before = value
            lines.append(
                f"{name:<15} {value:>16,} {medians[value]:>10.4f} {spread:>17} {floor} {slopes}"
            )
        least = {value: min(measured) for value, measured in points.items()}
        for which, start in (("all", 0), ("upper half", len(points) // 2)):
            if len(points) - start > 1:
                slopes = [fitted(dict(list(x.items())[start:])) for x in (medians, least)]
                lines.append(
                    f"{name:<15} {which:>16} fitted slope of medians {slopes[0]:.2f}, "
                    f"of least times {slopes[1]:.2f}"
                )
    return lines


def slope(amounts: Mapping[int, float], low: int, high: int) -> float:
    """Of the logarithms, from one point to the next."""
    return float(np.log(amounts[high] / amounts[low]) / np.log(high / low))


def fitted(medians: Mapping[int, float]) -> float:
    """Slope of the straight line through the logarithms, by least squares."""
    values, seconds = (np.log(list(x)) for x in (medians.keys(), medians.values()))
    return float(np.polyfit(values, seconds, 1)[0])


def plot(path: Path, all_seconds: Mapping[str, Mapping[str, Mapping[int, list[float]]]]) -> None:
    """Median seconds, log-log, and a dashed line of the slope that large sizes tend to."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed; pip install -e '.[bench]'")
        return
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    count = len(all_seconds)
    figure, axes = plt.subplots(
        1, count, figsize=(4 * count, 3.8), layout="constrained", squeeze=False
    )
    for axis, (sweep, runners) in zip(axes[0], all_seconds.items(), strict=True):
        for name, points in runners.items():
            medians = {value: statistics.median(measured) for value, measured in points.items()}
            axis.loglog(
                list(medians),
                list(medians.values()),
                marker="o",
                label=f"{name}: {fitted(medians):.2f}",
            )
        last, expected = max(medians), GUIDES.get(sweep, 1)
        guide = [medians[last] * (value / last) ** expected for value in medians]
        axis.loglog(list(medians), guide, "k--", linewidth=0.8, label=f"slope {expected}")
        axis.set(xlabel=sweep, ylabel="seconds", title=sweep)
        axis.legend(fontsize="small")
    figure.savefig(path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
