"""Texts per second from strings to vectors: gpudb's ``SELECT embed(…)`` beside its peers.

Tokenising is part of it. Each answer is compared with sentence-transformers in float32 first.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from available import unavailable
from corpus import cut_texts, mixed_lengths, token_counts, zipf_rows
from model_folders import Model, bert_base, minilm
from outcome import Comparison, Line, as_data, plot, save
from peers.ctranslate2 import CTranslate2
from peers.gpudb_embed import GpudbEmbed
from peers.onnxruntime import OnnxRuntime
from peers.openvino import OpenVino
from peers.peer import Peer
from peers.products import LIMITS
from peers.sentence_transformers import SentenceTransformers
from processes import PeerError, Process, Processes
from quiet import Quiet, take_quiet_turns

from gpudb.config import available_threads

JIT = tuple(GpudbEmbed("jit", precision) for precision in ("float32", "bfloat16", "int8"))
REFERENCE = SentenceTransformers()
PEERS: tuple[Peer, ...] = (
    *JIT,
    GpudbEmbed("numpy"),
    OpenVino(),
    OpenVino("bfloat16"),
    OnnxRuntime(),
    OnnxRuntime("int8"),
    CTranslate2(),
    CTranslate2("int8"),
    REFERENCE,
    SentenceTransformers("bfloat16"),
)
SINGLY: tuple[Peer, ...] = (
    *PEERS,
    *(OpenVino(precision, streams=1) for precision in ("float32", "bfloat16")),
    *(CTranslate2(precision, workers=1) for precision in ("float32", "int8")),
)
"""With the settings that are best for one text at a time."""
DOORS = tuple(GpudbEmbed("jit", door=door) for door in ("sql", "embed", "encoder"))

LEAST_COSINE = {"float32": 0.99999, "bfloat16": 0.99, "int8": 0.95}
"""Of the mean vector with the reference; what is below computes something else."""


@dataclass(frozen=True)
class Scenario:
    """Texts for one model."""

    key: str
    title: str
    model: Model
    texts: Sequence[str]
    singly: bool = False
    """Each text in a call of its own."""
    peers: Sequence[Peer] = PEERS

    @property
    def inputs(self) -> list[list[str]]:
        """The texts of each call."""
        return [[text] for text in self.texts] if self.singly else [list(self.texts)]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="parts, e.g. start,mixed,long")
    parser.add_argument("--peers", default="", help="parts of names, e.g. 'jit,OpenVINO'")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for quiet")
    parser.add_argument("--tries", type=int, default=3, help="runs in place of a disturbed one")
    parser.add_argument("--out", type=Path, help="folder for embed.json and embed.svg")
    parser.add_argument("--tiny", action="store_true", help="a few texts, one round")
    args = parser.parse_args()
    texts, rounds = (12, 1) if args.tiny else (args.texts, args.rounds)
    quiet = Quiet(0.0, 1) if args.tiny else Quiet(args.patience, args.tries)
    reasons = unavailable(PEERS)
    for name, reason in reasons.items():
        print(f"left out: {name}: {reason}")
    comparisons = []
    with (
        tempfile.TemporaryDirectory() as temporary,
        Processes(Path(temporary) / "files", available_threads()) as processes,
    ):
        bench = Bench(processes, rounds, quiet, args.peers, reasons)
        folder = Path(temporary) / "models"
        # First, so that no process measured later compiles what is kept on disk.
        started = PEERS[:1] if args.tiny else PEERS if _wanted("start", args.only) else ()
        starts = bench.starts(started, minilm(folder), 1 if args.tiny else 3)
        if starts:
            print(starts_text(starts))
        for scenario in scenarios(folder, texts, args.tiny):
            if bench.available(scenario.peers) and _wanted(scenario.key, args.only):
                comparisons.append(bench.compare(scenario))
                print(comparisons[-1].text(), flush=True)
                if args.out is not None:  # each time: what is measured so far is kept
                    data = [as_data(comparison) for comparison in comparisons]
                    save(args.out, "embed", {"starts": starts, "comparisons": data}, PEERS)
    if args.out is not None and comparisons:
        print(plot(args.out / "embed.svg", comparisons))


def _wanted(key: str, only: str) -> bool:
    return not only or key in only.split(",")


def scenarios(folder: Path, texts: int, tiny: bool) -> Iterator[Scenario]:
    """All comparisons, made when their turn comes."""
    model = minilm(folder)
    exact = tuple(peer for peer in PEERS if peer.precision == "float32")
    mixed = cut_texts(model.folder, mixed_lengths(texts))
    few = mixed[: max(2, texts // 40)]
    doors = "what SQL adds to the encoder alone"
    yield Scenario("mixed", "texts of mixed length, mean 55 tokens, at most 256", model, mixed)
    yield Scenario("doors-one", f"{doors}, one text at a time", model, few, True, DOORS)
    if tiny:
        return
    yield Scenario("doors", doors, model, mixed[: max(2, texts // 4)], peers=DOORS)
    yield Scenario("one", "one text at a time", model, few, True, SINGLY)
    short = cut_texts(model.folder, [5 + i % 6 for i in range(texts)])
    yield Scenario("short", "texts of 5 to 10 tokens", model, short)
    rows = zipf_rows(mixed, 2 * texts)
    title = f"Zipf-distributed texts, {len(set(rows)):,} of {len(rows):,} distinct"
    yield Scenario("equal", title, model, rows, peers=exact)
    long = cut_texts(model.folder, [512] * max(8, texts // 20))
    yield Scenario("long", "texts of 512 tokens", minilm(folder, 512), long)
    base = mixed[: max(8, texts // 20)]
    yield Scenario("base", "BERT-base, random weights", bert_base(folder), base)


@dataclass(frozen=True)
class Bench:
    """How comparisons are made."""

    processes: Processes
    rounds: int
    quiet: Quiet
    wanted: str
    unavailable: dict[str, str]

    def compare(self, scenario: Scenario) -> Comparison:
        """Every peer over a scenario: convert, load, check, take turns."""
        notes: list[str] = []
        processes: dict[str, Process] = {}
        sys.stderr.write(f"{scenario.title}: loading\n")
        for peer in self.available(scenario.peers):
            try:
                process = self.processes.loaded(peer, scenario.model.folder)
                process.ready(scenario.key, scenario.inputs)
                processes[peer.name] = process
            except PeerError as error:
                notes.append(f"left out: {error}")
        cosines = self._check(processes, scenario)
        for name, (_, mean) in cosines.items():
            least = LEAST_COSINE[processes[name].peer.precision]
            if not mean >= least:
                notes.append(f"left out: {name}: mean cosine {mean:.4f}, expected {least}")
                del processes[name]
        limits = self._limits(scenario)
        runners = {
            name: lambda process=process: process.run(scenario.key)
            for name, process in processes.items()
        } | {
            peer.name: lambda process=process: process.run("shape", 4)
            for peer, process in limits.items()
        }
        sys.stderr.write(f"{scenario.title}: measuring\n")
        measured = take_quiet_turns(runners, self.rounds, self.quiet)
        lines = [
            Line(name, p.peer.precision, cosines[name], measured[name], p.peak_nbytes())
            for name, p in processes.items()
        ]
        return Comparison(
            scenario.key,
            scenario.title,
            len(scenario.texts),
            "texts",
            self._flops(scenario),
            self._rates(scenario, {peer: measured[peer.name] for peer in limits}),
            lines,
            notes,
        )

    def starts(self, peers: Sequence[Peer], model: Model, times: int) -> dict[str, list[float]]:
        """Seconds from nothing to the first vector in a new process, caches on disk warm."""
        seconds: dict[str, list[float]] = {}
        for peer in self.available(peers):
            try:
                self._start(peer, model)  # warms what is kept on disk
                seconds[peer.name] = [self._start(peer, model) for _ in range(times)]
            except PeerError as error:
                print(f"left out: {error}")
        return seconds

    def _start(self, peer: Peer, model: Model) -> float:
        self.quiet.wait()
        started = time.perf_counter()
        with self.processes.start(peer, model.folder) as process:
            process.ready("start", [["one text"]])
            process.run("start")
            return time.perf_counter() - started

    def available(self, peers: Sequence[Peer]) -> list[Peer]:
        """Those that can run here and are asked for."""
        parts = self.wanted.split(",")
        return [
            peer
            for peer in peers
            if peer.name not in self.unavailable and any(part in peer.name for part in parts)
        ]

    def _check(
        self, processes: dict[str, Process], scenario: Scenario
    ) -> dict[str, tuple[float, float]]:
        """Smallest and mean cosine of each with the reference, or with NumPy where it is not."""
        answers = {name: process.answer(scenario.key) for name, process in processes.items()}
        order = (REFERENCE.name, GpudbEmbed("numpy").name, *answers)
        expected = next(answers[name] for name in order if name in answers)
        cosines = {}
        for name, vectors in answers.items():
            products = np.einsum("ij,ij->i", vectors, expected, dtype=np.float64)
            norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
            cosine = products / norms
            cosines[name] = float(cosine.min()), float(cosine.mean())
        return cosines

    def _limits(self, scenario: Scenario) -> dict[Peer, Process]:
        """Products alone, of the model's shape."""
        model, found = scenario.model, {}
        precisions = {peer.precision for peer in self.available(scenario.peers)}
        reasons = unavailable(LIMITS)
        for peer in LIMITS:
            if peer.precision in precisions and peer.name not in reasons:
                try:
                    process = self.processes.loaded(peer, model.folder)
                    process.ready("shape", [self._shape(model)])
                    process.run("shape")
                    found[peer] = process
                except PeerError as error:
                    print(f"left out: {error}")
        return found

    def _rates(self, scenario: Scenario, measured: dict[Any, Any]) -> dict[str, float]:
        """GFLOP/s of the faster products of each precision."""
        flops = 2 * np.prod([float(n) for n in self._shape(scenario.model)])
        rates: dict[str, float] = {}
        for peer, runs in measured.items():
            rate = float(flops / statistics.median(m.seconds for m in runs) / 1e9)
            rates[peer.precision] = max(rate, rates.get(peer.precision, 0.0))
        return rates

    def _shape(self, model: Model) -> tuple[int, int, int]:
        return (64 if self.rounds == 1 else 4096, model.width, model.wide)

    def _flops(self, scenario: Scenario) -> float:
        model = scenario.model
        return model.flops(token_counts(model.folder, scenario.texts, model.max_tokens))


def starts_text(starts: dict[str, list[float]]) -> str:
    """A line for each runtime."""
    lines = ["\nnew process to first vector, caches on disk warm, median s (min–max)"]
    for name, seconds in starts.items():
        spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
        lines.append(f"{name:<34} {statistics.median(seconds):>6.2f} ({spread})")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
