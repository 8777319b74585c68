"""How long products and an encoder take over block sizes, relational and coalesced."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import report, save, take_turns, texts

import gpudb
from gpudb.cli.demo import model_folder

SIZES = (16, 32, 64, 128, 256, 512, 1024)
EXTENT = 1024
TOLERANCE = 1e-4
"""Float32 sums of order 1 in another order; of six layers, vectors of length 1."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--out", type=Path, help="folder for blocks.json and blocks.svg")
    parser.add_argument("--tiny", action="store_true", help="small sizes, one round")
    args = parser.parse_args()
    rounds = 1 if args.tiny else args.rounds
    sizes = (16, 32) if args.tiny else SIZES
    extent = 64 if args.tiny else EXTENT

    products = matmul_runners(sizes, extent)
    print(f"product of two {extent}×{extent} float32 matrices: {2 * extent**3 / 1e9:.2f} GFLOP")
    product_seconds = take_turns(products, rounds)
    print(report(product_seconds, 1, "products", f"{extent}×{extent}, fused"))

    column = texts(3 if args.tiny else args.texts)
    with gpudb.connect(device="numpy") as db:
        db.import_model(model_folder(), "minilm")
        tokens = db.embed("minilm", column).stats.tokens
        encoders = encoder_runners(db, sizes, column)
        print(f"\nMiniLM over {len(column)} texts, {tokens} tokens")
        encoder_seconds = take_turns(encoders, 1 if args.tiny else min(rounds, 3))
        print(report(encoder_seconds, tokens, "tokens", "fused"))
    if args.out is not None:
        save(args.out, "blocks", {"matmul": product_seconds, "encoder": encoder_seconds})
        plot(args.out / "blocks.svg", product_seconds, encoder_seconds)


def matmul_runners(sizes: tuple[int, ...], extent: int) -> dict[str, Callable[[], object]]:
    """A product over square blocks and over row panels of each size; the answers are checked.

    Panels lie side by side, so the fused form reads them as one matrix. Square blocks do not: both
    forms are the same plan.
    """
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((extent, extent)).astype(np.float32) for _ in "ab")
    expected = left.astype(np.float64) @ right
    runners: dict[str, Callable[[], object]] = {}
    cuts = [((size, size), "relational") for size in sizes]
    cuts += [((size, extent), form) for size in sizes for form in ("relational", "fused")]
    for block, execution in [*cuts, ((extent, extent), "fused")]:
        db = gpudb.connect(device="numpy")
        product = db.create_tensor("a", left, block=block) @ db.create_tensor(
            "b", right, block=block
        )
        db.set(execution=execution)
        difference = float(np.abs(product.collect() - expected).max())
        label = f"{block[0]}×{block[1]}, {execution}"
        if difference > TOLERANCE * np.sqrt(extent):
            sys.exit(f"{label}: the answer is off by {difference:.1e}")
        runners[label] = product.collect
    return runners


def encoder_runners(
    db: gpudb.Database, sizes: tuple[int, ...], column: list[str]
) -> dict[str, Callable[[], object]]:
    """MiniLM fused, and relational in square blocks of each size; the answers are checked."""
    runners: dict[str, Callable[[], object]] = {}
    expected = None
    for size in (None, *sizes):
        label = "fused" if size is None else f"{size}×{size}, relational"

        def run(size=size) -> np.ndarray:
            if size is None:
                db.set(execution="fused")
            else:
                db.set(execution="relational", block_size=size)
            return db.embed("minilm", column).numpy("embedding")

        vectors = run()
        expected = vectors if expected is None else expected
        difference = float(np.abs(vectors - expected).max())
        if difference > TOLERANCE:
            sys.exit(f"{label}: the vectors are off by {difference:.1e}")
        runners[label] = run
    return runners


def plot(path: Path, products: dict[str, list[float]], encoders: dict[str, list[float]]) -> None:
    """Median seconds over block size, log-log; both questions side by side."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed; pip install -e '.[bench]'")
        return
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    whole = max(int(name.split("×")[0]) for name in products)
    lines = {
        "square blocks, relational": lambda n: f"{n}×{n}, relational",
        "row panels, relational": lambda n: f"{n}×{whole}, relational",
        "row panels, fused": lambda n: f"{n}×{whole}, fused",
    }
    for axis, seconds, title in zip(
        axes, (products, encoders), ("matrix product", "MiniLM"), strict=True
    ):
        for label, name in lines.items():
            points = [(n, float(np.median(seconds[name(n)]))) for n in SIZES if name(n) in seconds]
            if len(points) > 1:
                axis.loglog(*zip(*points, strict=True), marker="o", label=label)
        if "fused" in seconds:
            fused = float(np.median(seconds["fused"]))
            axis.axhline(fused, linestyle="--", color="grey", label="fused")
        axis.set(title=title, xlabel="rows of a block", ylabel="seconds (median)")
        axis.legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
