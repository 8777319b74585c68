"""The table gpudb began with: time and size of a two-block encoder, framework by framework.

From the size of the first experiment (10 tokens, width 64) to width 768, equally long batches and
ragged ones. Each answer is compared with float64 first.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from bench_encoder import BATCHES, LENGTHS, PEERS, Bench, read_options, summary
from encoder_model import Shape, encoder_folder
from model_sizes import fine_tunes, fine_tunes_text, nbytes
from outcome import Comparison, as_data, save
from peers.gpudb_infer import GpudbInfer
from peers.mxnet_encoder import MxnetEncoder
from peers.peer import Peer
from processes import PeerError, Processes, converted_folder
from ratio_plot import plot_ratios

from gpudb.config import available_threads

WIDTHS = (64, 256, 768)
SEED = (1, 10)
"""Batch and length of the first experiment."""
ALL_PEERS: tuple[Peer, ...] = (*PEERS, MxnetEncoder())


def main() -> None:
    """Run the benchmark."""
    options = read_options(__doc__, ALL_PEERS, WIDTHS)
    comparisons: list[Comparison] = []
    sizes: dict[int, Any] = {}
    with (
        tempfile.TemporaryDirectory() as temporary,
        Processes(Path(temporary), available_threads()) as processes,
    ):
        bench = Bench(processes, options)
        for width in options.widths:
            sizes[width] = _sizes(processes, options.peers, width, Path(temporary))
            for comparison in bench.compare(shapes(width, options.tiny)):
                print(comparison.text(), flush=True)
                comparisons.append(comparison)
                if options.out is not None:  # each time: what is measured so far is kept
                    data = [as_data(comparison) for comparison in comparisons]
                    save(options.out, "seed", {"sizes": sizes, "comparisons": data}, ALL_PEERS)
    print(summary(comparisons))
    if options.out is not None:
        print(plot_ratios(options.out / "seed.svg", comparisons, GpudbInfer().name))


def shapes(width: int, tiny: bool) -> list[Shape]:
    """The cells of a width: the seed's, equally long ones, ragged ones."""
    if tiny:
        return [Shape(width, 2, 9), Shape(width, 3, 9, ragged=True)]
    equal = [Shape(width, *cell) for cell in (SEED, *product(BATCHES, LENGTHS))]
    ragged = [Shape(width, *cell, ragged=True) for cell in product(BATCHES, LENGTHS) if cell[0] > 1]
    return [*equal, *ragged]


def _sizes(processes: Processes, peers: Sequence[Peer], width: int, parent: Path) -> dict[str, Any]:
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
