"""The limits: products of matrices, ours beside NumPy's BLAS, MKL and oneDNN, by threads.

Every thread has a product of its own, as the batches of a model run have; libraries run with one
thread each. Ours include rounding the left factor; PyTorch's bfloat16 and int8 get both factors
rounded before, and its int8 returns sums that nobody has scaled.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import save, take_turns
from threadpoolctl import threadpool_limits

from gpudb.backend import open_backend
from gpudb.cli.devices import available
from gpudb.config import available_threads

SHAPES = (
    (2048, 2048, 2048), (4096, 384, 1536), (512, 384, 1152), (512, 384, 1536), (512, 1536, 384),
    (32, 384, 384), (512, 768, 768), (512, 768, 3072), (512, 3072, 768),
)  # fmt: skip
"""Rows, inner extent, columns: a large square, the products of MiniLM and of BERT-base."""
TINY = ((5, 8, 7), (33, 40, 17))
LEAST_FLOPS = 4e9
"""Worked on by each thread in one turn, so that starting it does not count."""
PLAIN = "numpy float32"

Multiply = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Factors:
    """Factors ``(rows, inner)``, ``(columns, inner)``, and their product in float64."""

    left: np.ndarray
    right: np.ndarray
    product: np.ndarray

    @property
    def flops(self) -> int:
        return 2 * self.product.size * self.left.shape[1]

    def allowed(self, precision: str) -> np.ndarray:
        """Largest error that rounding explains: of the factors, then of each float32 addition."""
        left, right = np.abs(self.left), np.abs(self.right)
        sums = left.shape[1] * 2.0**-24 * (left @ right.T)
        if precision == "bfloat16":
            return sums + (2 * 2.0**-9 + 2.0**-18) * (left @ right.T)
        if precision == "int8":
            high, low = self.left.max(axis=1), self.left.min(axis=1)
            step = (np.maximum(high, 0) - np.minimum(low, 0))[:, None] / 255
            other = right.max(axis=1)[:, None] / 127
            exact = np.ones_like(right)
            # Half a step each way, and a whole one where shifting zero to a byte clips an end.
            return sums + step @ right.sum(axis=1)[None] + (left + step) @ (exact * other / 2).T
        return sums


def factors(rows: int, inner: int, columns: int) -> Factors:
    random = np.random.default_rng(0)
    left = random.standard_normal((rows, inner), np.float32)
    right = random.standard_normal((columns, inner), np.float32)
    return Factors(left, right, left.astype(np.float64) @ right.T.astype(np.float64))


def runners(given: Factors) -> dict[str, Multiply]:
    """Name and precision -> a product of these factors, whose answer has been checked."""
    made: dict[str, Multiply] = {PLAIN: lambda: given.left @ given.right.T}
    for device, precision in available("jit"):
        backend = open_backend(device, precision=precision)
        packed = backend.pack(given.right)
        made[f"{device} {precision}"] = lambda backend=backend, packed=packed: backend.matmul(
            given.left, packed, transpose_b=True
        )
    made |= torch_runners(given)
    for name, multiply in made.items():
        if name == "torch int8":
            continue  # whole numbers of another product: checked where it is made
        error = np.abs(multiply() - given.product) / given.allowed(name.split()[1])
        if not error.max() <= 1:
            sys.exit(f"{name}: {error.max():.1f} times the error that rounding explains")
    return made


def torch_runners(given: Factors) -> dict[str, Multiply]:
    """PyTorch's products: float32 is MKL's, bfloat16 oneDNN's. None where it is not installed."""
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(1)
    left, right = torch.from_numpy(given.left), torch.from_numpy(given.right)
    half = left.bfloat16(), right.bfloat16()
    made: dict[str, Multiply] = {
        "torch float32": lambda: (left @ right.T).numpy(),
        "torch bfloat16": lambda: (half[0] @ half[1].T).float().numpy(),
    }
    rows, inner = left.shape
    if rows > 16 and inner % 8 == 0 and len(right) % 8 == 0:  # what _int_mm takes
        whole = [(x * 40).round().clamp(-127, 127).to(torch.int8) for x in (left, right)]
        expected = whole[0].double() @ whole[1].double().T
        if not torch.equal(torch._int_mm(whole[0], whole[1].T).double(), expected):
            sys.exit("torch int8: the answer is wrong")
        made["torch int8"] = lambda: torch._int_mm(whole[0], whole[1].T)
    return made


def turn(pool: ThreadPoolExecutor, threads: int, times: int, multiply: Multiply) -> Callable:
    """One turn of a runner: the same product again and again, on each of so many threads."""

    def work(_: int) -> None:
        for _ in range(times):
            multiply()

    return lambda: list(pool.map(work, range(threads)))


def peaks() -> dict[str, float]:
    """GFLOP/s of one thread's multiply-adds between registers, by precision; prints them."""
    found = sorted({precision for _, precision in available("jit")})
    if not found:
        print("no peak: it needs numba, which is not installed; pip install 'gpudb-tensor[jit]'")
        return {}
    from peak import clock_ghz, peak_gflops

    clock = clock_ghz()
    measured = {precision: peak_gflops(precision) for precision in found}
    if clock:
        print(f"clock: {clock:.2f} GHz")
    for precision, gflops in measured.items():
        cycle = f", {gflops / clock:.0f} operations a cycle" if clock else ""
        print(f"peak of a thread in {precision}: {gflops:.0f} GFLOP/s{cycle}")
    return measured


def table(
    label: str, seconds: dict[str, list[float]], flops: float, threads: int, peak: dict
) -> list[str]:
    """Median GFLOP/s, the share of the peak, and the ratio to NumPy's BLAS round by round."""
    lines = []
    for name, measured in seconds.items():
        gflops = flops / statistics.median(measured) / 1e9
        most = peak.get(name.split()[1])
        share = f"{gflops / most / threads:7.0%}" if most else f"{'-':>7}"
        pairs = zip(seconds[PLAIN], measured, strict=True)
        ratio = statistics.median(plain / own for plain, own in pairs)
        lines.append(f"{label:<16} {threads:>7} {name:<16} {gflops:>14,.1f} {share} {ratio:>8.2f}")
    return lines


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, help="folder for gemm.json")
    parser.add_argument("--tiny", action="store_true", help="small products, one round")
    args = parser.parse_args()
    unset = [name for name in os.environ if name.startswith("OPENBLAS_")]
    if unset:
        print(f"note: {', '.join(unset)} set; NumPy's BLAS may not be at its best")
    every = tuple(sorted({1, available_threads()}))
    peak = peaks()
    all_seconds: dict[str, dict[str, list[float]]] = {}
    head = f"{'product':<16} {'threads':>7} {'runner':<16} {'median GFLOP/s':>14} {'of peak':>7}"
    print(f"{head} {'speed-up':>8}")
    for shape in TINY if args.tiny else SHAPES:
        given = factors(*shape)
        times = 1 if args.tiny else max(1, round(LEAST_FLOPS / given.flops))
        label = "×".join(map(str, shape))
        with threadpool_limits(limits=1, user_api="blas"):
            made = runners(given)
            for threads in every:
                with ThreadPoolExecutor(threads) as pool:
                    turns = {name: turn(pool, threads, times, m) for name, m in made.items()}
                    seconds = take_turns(turns, 1 if args.tiny else args.rounds)
                all_seconds[f"{label}, {threads} threads, {times} times"] = seconds
                flops = given.flops * times * threads
                print("\n".join(table(label, seconds, flops, threads, peak)), flush=True)
    print(f"speed-up: median over the rounds of the time of {PLAIN} divided by the runner's")
    if args.out is not None:
        save(args.out, "gemm", all_seconds, peak_gflops=peak)


if __name__ == "__main__":
    main()
