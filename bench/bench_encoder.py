"""Two encoder blocks of random weights over widths, batches and lengths, beside other frameworks.

Each answer is compared with float64 first. The sequences of a batch are equally long, so that there
is no padding to gain from.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from available import unavailable
from encoder_model import Shape, encoder_folder, expected
from outcome import Comparison, Line, as_data, save
from peers.gpudb_infer import GpudbInfer
from peers.jax_encoder import JaxEncoder
from peers.onnxruntime_encoder import OnnxRuntimeEncoder
from peers.openvino_encoder import OpenVinoEncoder
from peers.peer import Peer
from peers.products import LIMITS
from peers.tensorflow_encoder import TensorFlowEncoder
from peers.torch_encoder import TorchEncoder
from processes import PeerError, Process, Processes
from quiet import Quiet, take_quiet_turns
from ratio_plot import plot_ratios
from rows import Rows

from gpudb.config import available_threads

WIDTHS, BATCHES, LENGTHS = (128, 256, 512, 768), (1, 8, 32), (64, 128, 256)
PEERS: tuple[Peer, ...] = (
    GpudbInfer(),
    GpudbInfer("numpy"),
    TorchEncoder("eager"),
    TorchEncoder("compiled"),
    TorchEncoder("fast path"),
    OnnxRuntimeEncoder(),
    OpenVinoEncoder(),
    JaxEncoder(),
    TensorFlowEncoder(),
    TensorFlowEncoder(xla=False),
)
FLOAT32_LIMITS = tuple(peer for peer in LIMITS if peer.precision == "float32")
TOLERANCE = 1e-4
"""Largest difference from float64 that float32 may have, over values of order one."""
SHORTEST = 0.1
"""Seconds that a measurement takes at least; short runs are repeated within it."""


@dataclass(frozen=True)
class Options:
    """What a run of the benchmark was asked for."""

    rounds: int
    widths: Sequence[int]
    peers: Sequence[Peer]
    limits: Sequence[Peer]
    quiet: Quiet
    out: Path | None
    tiny: bool


def read_options(description: str, all_peers: Sequence[Peer], widths: Sequence[int]) -> Options:
    """The arguments of the command line; what cannot be compared with is printed."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--widths", default="", help="e.g. 128,512")
    parser.add_argument("--peers", default="", help="parts of names, e.g. 'jit,OpenVINO'")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for quiet")
    parser.add_argument("--tries", type=int, default=3, help="runs in place of a disturbed one")
    parser.add_argument("--out", type=Path, help="folder for results as JSON, and a plot")
    parser.add_argument("--tiny", action="store_true", help="small cells, one round")
    args = parser.parse_args()
    reasons = unavailable(all_peers)
    for name, reason in reasons.items():
        print(f"left out: {name}: {reason}")
    parts = args.peers.split(",")
    return Options(
        rounds=1 if args.tiny else args.rounds,
        widths=[int(w) for w in args.widths.split(",") if w] or ([32] if args.tiny else widths),
        peers=[p for p in all_peers if p.name not in reasons and any(x in p.name for x in parts)],
        limits=[p for p in FLOAT32_LIMITS if p.name not in unavailable(FLOAT32_LIMITS)],
        quiet=Quiet(0.0, 1) if args.tiny else Quiet(args.patience, args.tries),
        out=args.out,
        tiny=args.tiny,
    )


def main() -> None:
    """Run the benchmark."""
    options = read_options(__doc__, PEERS, WIDTHS)
    cells = [(2, 9)] if options.tiny else list(product(BATCHES, LENGTHS))
    comparisons: list[Comparison] = []
    with (
        tempfile.TemporaryDirectory() as temporary,
        Processes(Path(temporary), available_threads()) as processes,
    ):
        bench = Bench(processes, options)
        for width in options.widths:
            for comparison in bench.compare([Shape(width, *cell) for cell in cells]):
                print(comparison.text(), flush=True)
                comparisons.append(comparison)
                if options.out is not None:  # each time: what is measured so far is kept
                    data = [as_data(comparison) for comparison in comparisons]
                    save(options.out, "encoder", {"comparisons": data}, PEERS)
    print(summary(comparisons))
    if options.out is not None:
        print(plot_ratios(options.out / "encoder.svg", comparisons, GpudbInfer().name))


@dataclass(frozen=True)
class Bench:
    """How comparisons are made."""

    processes: Processes
    options: Options

    def compare(self, shapes: Sequence[Shape]) -> Iterator[Comparison]:
        """Every peer over shapes of one width: check, take turns."""
        width = shapes[0].width
        sys.stderr.write(f"width {width}: loading\n")
        model = encoder_folder(self.processes.folder, width)
        processes: dict[str, Process] = {}
        for peer in (*self.options.peers, *self.options.limits):
            try:
                processes[peer.name] = self.processes.loaded(peer, model)
            except PeerError as error:
                print(f"left out: {error}")
        for shape in shapes:
            yield self._cell(shape, model, processes)

    def _cell(self, shape: Shape, model: Path, processes: Mapping[str, Process]) -> Comparison:
        notes: list[str] = []
        rows = shape.rows()
        right = np.concatenate([expected(model, x)[0] for x in _ends(rows)])
        times: dict[str, int] = {}
        for name, process in processes.items():
            try:
                if process.peer in FLOAT32_LIMITS:
                    inputs = (shape.batch * shape.length, shape.width, 4 * shape.width)
                    process.ready(shape.title, [inputs])
                else:
                    process.ready(shape.title, [rows])
                    answer = rows.answered(process.answer(shape.title))
                    ends = np.concatenate([answer[: rows.lengths[0]], answer[-rows.lengths[-1] :]])
                    difference = float(np.abs(ends - right).max())
                    if not difference <= TOLERANCE:
                        raise PeerError(f"{name}: off by {difference:.1e}, allowed {TOLERANCE}")
                once = process.run(shape.title).seconds
                times[name] = 1 if self.options.rounds == 1 else max(1, round(SHORTEST / once))
            except PeerError as error:
                notes.append(f"left out: {error}")
        runners = {
            name: lambda name=name, n=n: processes[name].run(shape.title, n)
            for name, n in times.items()
        }
        measured = take_quiet_turns(runners, self.options.rounds, self.options.quiet)
        limits = [p.name for p in FLOAT32_LIMITS if p.name in measured]
        flops = 8 * shape.batch * shape.length * shape.width**2
        rates = [flops / statistics.median(m.seconds for m in measured[n]) / 1e9 for n in limits]
        lines = [Line(n, "float32", None, runs) for n, runs in measured.items() if n not in limits]
        return Comparison(
            shape.title,
            f"width/batch/length {shape.title}",
            shape.batch,
            "sequences",
            shape.flops,
            {"float32": max(rates)} if rates else {},
            lines,
            notes,
        )


def _ends(rows: Rows) -> list[np.ndarray]:
    """The first and the last sequence; no other depends on them, nor they on each other."""
    return [rows.x[[i], : rows.lengths[i]] for i in (0, -1)]


def summary(comparisons: Sequence[Comparison]) -> str:
    """Time of each runtime over that of gpudb, over all cells."""
    ours = GpudbInfer().name
    ratios: dict[str, list[float]] = {}
    for comparison in comparisons:
        lines = {line.name: line for line in comparison.lines}
        if ours not in lines:
            continue
        for name, line in lines.items():
            ratios.setdefault(name, []).append(lines[ours].times_faster(line))
        if best := comparison.best_peer("float32"):
            ratios.setdefault("best peer of each cell", []).append(lines[ours].times_faster(best))
    text = [f"\ntime over that of {ours}: geometric mean, least, median, most, cells"]
    for name, values in ratios.items():
        mean = statistics.geometric_mean(values)
        numbers = (mean, min(values), statistics.median(values), max(values))
        text.append(f"{name:<34}" + "".join(f"{n:>8.2f}" for n in numbers) + f"{len(values):>6}")
    return "\n".join(text)


if __name__ == "__main__":
    main()
