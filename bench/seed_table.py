"""The table gpudb began with: time and size of a two-block encoder, framework by framework.

From the size of the first experiment (10 tokens, width 64) to width 768, equally long batches and
ragged ones. Each answer is compared with float64 first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from available import unavailable
from bench_encoder import BATCHES, FLOAT32_LIMITS, LENGTHS, PEERS, Bench, summary
from encoder_model import Shape, encoder_folder
from model_sizes import fine_tunes, fine_tunes_text, nbytes
from outcome import Comparison, as_data, save
from peers.gpudb_infer import GpudbInfer
from peers.mxnet_encoder import MxnetEncoder
from peers.peer import Peer
from processes import PeerError, Processes, converted_folder
from quiet import Quiet
from ratio_plot import plot_ratios

from gpudb.config import available_threads

WIDTHS = (64, 256, 768)
SEED = (1, 10)
"""Batch and length of the first experiment."""
ALL_PEERS: tuple[Peer, ...] = (*PEERS, MxnetEncoder())


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--widths", default="", help="e.g. 64,768")
    parser.add_argument("--peers", default="", help="parts of names, e.g. 'jit,OpenVINO'")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for quiet")
    parser.add_argument("--tries", type=int, default=3, help="runs in place of a disturbed one")
    parser.add_argument("--out", type=Path, help="folder for seed.json and seed.svg")
    parser.add_argument("--tiny", action="store_true", help="two small cells, one round")
    args = parser.parse_args()
    reasons = unavailable(ALL_PEERS)
    for name, reason in reasons.items():
        print(f"left out: {name}: {reason}")
    parts = args.peers.split(",")
    peers = [p for p in ALL_PEERS if p.name not in reasons and any(x in p.name for x in parts)]
    limits = [p for p in FLOAT32_LIMITS if p.name not in unavailable(FLOAT32_LIMITS)]
    quiet = Quiet(0.0, 1) if args.tiny else Quiet(args.patience, args.tries)
    widths = [int(w) for w in args.widths.split(",") if w] or ([32] if args.tiny else WIDTHS)
    comparisons: list[Comparison] = []
    sizes: dict[int, Any] = {}
    with (
        tempfile.TemporaryDirectory() as temporary,
        Processes(Path(temporary), available_threads()) as processes,
    ):
        bench = Bench(processes, 1 if args.tiny else args.rounds, quiet, [*peers, *limits])
        for width in widths:
            sizes[width] = _sizes(processes, peers, width, Path(temporary))
            for comparison in bench.compare(shapes(width, args.tiny)):
                print(comparison.text(), flush=True)
                comparisons.append(comparison)
                if args.out is not None:  # each time: what is measured so far is kept
                    data = [as_data(comparison) for comparison in comparisons]
                    save(args.out, "seed", {"sizes": sizes, "comparisons": data}, ALL_PEERS)
    print(summary(comparisons))
    if args.out is not None:
        print(plot_ratios(args.out / "seed.svg", comparisons, GpudbInfer().name))


def shapes(width: int, tiny: bool) -> list[Shape]:
    """The cells of a width: the seed's, equally long ones, ragged ones."""
    if tiny:
        return [Shape(width, 2, 9), Shape(width, 3, 9, ragged=True)]
    equal = [Shape(width, *cell) for cell in (SEED, *product(BATCHES, LENGTHS))]
    ragged = [Shape(width, *cell, ragged=True) for cell in product(BATCHES, LENGTHS) if cell[0] > 1]
    return [*equal, *ragged]


def _sizes(processes: Processes, peers: list[Peer], width: int, parent: Path) -> dict[str, Any]:
    """Bytes of files and of processes, and of fine-tunes in a database; printed."""
    sys.stderr.write(f"width {width}: sizes\n")
    model = encoder_folder(processes.folder, width)
    as_it_is = (model / "model.safetensors").stat().st_size
    rows = Shape(width, *SEED).rows()
    found: dict[str, Any] = {}
    print(f"\nwidth {width}: MB of files, and of a process after it ran once")
    for peer in peers:
        try:
            with processes.start(peer, model) as process:
                process.ready("once", [rows])
                process.run("once")
                held = process.peak_nbytes()
        except PeerError as error:
            print(f"left out: {error}")
            continue
        own = nbytes(converted_folder(processes.folder, peer, model))
        found[peer.name] = {"files": own or as_it_is, "process": held}
        print(f"{peer.name:<34} files {(own or as_it_is) / 1e6:>8.1f}   process {held / 1e6:>8.1f}")
    tunes = list(fine_tunes(model, parent))
    print(fine_tunes_text(width, tunes))
    return {"runtimes": found, "fine_tunes": [asdict(t) for t in tunes]}


if __name__ == "__main__":
    main()
