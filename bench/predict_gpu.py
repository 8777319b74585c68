"""Predicted speed on GPUs beside published measurements of peers. Nothing is run on a GPU."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpudb.cli.demo import model_folder
from gpudb.embed_options import LEAST_NORM
from gpudb.exec.graph import Step, order_steps
from gpudb.lower import lower
from gpudb.models.architecture import SEQUENCES
from gpudb.models.architectures import bert
from gpudb.models.batches import sizes_of_lengths
from gpudb.plan.rules import optimize
from gpudb.plan.sequence import Normalize, Pool
from gpudb.plan.tensor import Scan
from gpudb.predict import GPUS, PRECISIONS, Prediction, Setting, predict
from gpudb.types import TensorSchema

BERT_BASE = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "gelu",
}
# Its rows with padding removed are left out: their batches have fewer tokens than the shape says.
FASTER_TRANSFORMER = "NVIDIA/FasterTransformer docs/bert_guide.md, A100, FP16"
BYTE_TRANSFORMER = "bytedance/ByteTransformer README, A100, FP16"


@dataclass(frozen=True)
class Shape:
    """A batch, and what others measured on an A100 over it, in milliseconds."""

    label: str
    lengths: Sequence[int]
    peers: tuple[tuple[str, float], ...] = ()
    source: str = ""


SHAPES = (
    Shape(
        "32 texts of 128",
        [128] * 32,
        (("TorchScript", 9.57), ("FT", 4.81)),
        FASTER_TRANSFORMER,
    ),
    Shape(
        "32 texts of 384",
        [384] * 32,
        (("TorchScript", 32.43), ("FT", 14.68)),
        FASTER_TRANSFORMER,
    ),
    Shape(
        "1 text of 32",
        [32],
        (("TorchScript", 4.22), ("FT", 0.93)),
        FASTER_TRANSFORMER,
    ),
    Shape(
        "16 texts up to 256, mean 154",
        [int(n) for n in np.linspace(51, 256, 16)],
        (("PyTorch", 9.56), ("FT", 6.77), ("FT, padding removed", 5.49), ("ByteTransformer", 6.85)),
        BYTE_TRANSFORMER,
    ),
)
MINILM_SHAPE = Shape("300 texts, mean 55", [int(n) for n in np.linspace(10, 100, 300)])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two layers, one shape, one GPU")
    args = parser.parse_args()
    base = {**BERT_BASE, "num_hidden_layers": 2} if args.tiny else BERT_BASE
    minilm = json.loads((model_folder() / "config.json").read_text(encoding="utf-8"))
    gpus = ("a100-80gb",) if args.tiny else tuple(GPUS)
    print("BERT-base: predicted, one CUDA graph a batch")
    for shape in SHAPES[:1] if args.tiny else SHAPES:
        print_shape(shape, encoder_steps(base), gpus)
    print("\nall-MiniLM-L6-v2: predicted, one CUDA graph a batch")
    print_shape(MINILM_SHAPE, encoder_steps(minilm), gpus)
    print("\nall-MiniLM-L6-v2 on a100-80gb, float16, operator by operator: predicted")
    print_steps(one(encoder_steps(minilm), MINILM_SHAPE, "a100-80gb", "float16"))


def encoder_steps(config: dict[str, Any]) -> tuple[Step, ...]:
    """The physical plan of a BERT, with mean pooling and unit length; it needs no weights."""
    scans = {
        name: Scan(TensorSchema.one_block(name, shape))
        for name, shape in bert.weights(config).items()
    }
    hidden = bert.build(config, scans.__getitem__)
    pooled = Normalize(Pool(hidden, SEQUENCES, "mean"), LEAST_NORM)
    return order_steps(lower(optimize(pooled)))


def one(steps: Sequence[Step], shape: Shape, gpu: str, precision: str) -> Prediction:
    """Predict one batch."""
    setting = Setting(GPUS[gpu], precision)
    return predict(steps, sizes_of_lengths(np.array(shape.lengths)), setting)


def print_shape(shape: Shape, steps: Sequence[Step], gpus: Sequence[str]) -> None:
    """A line for each GPU: milliseconds and tokens per second in every precision it has."""
    tokens = sum(shape.lengths)
    print(f"\n{shape.label} ({tokens:,} tokens)")
    print(f"{'predicted':<22}" + "".join(f"{p:>24}" for p in PRECISIONS))
    for gpu in gpus:
        print(f"{gpu:<22}" + "".join(_cell(steps, shape, gpu, p) for p in PRECISIONS))
    for name, milliseconds in shape.peers:
        rate = tokens / milliseconds
        print(f"published: {name:<20} {milliseconds:>8.2f} ms {rate:>7,.0f} k tok/s")
    if shape.source:
        print(f"published by {shape.source}")


def _cell(steps: Sequence[Step], shape: Shape, gpu: str, precision: str) -> str:
    if precision != "float32" and precision not in GPUS[gpu].tensor:
        return f"{'-':>24}"
    p = one(steps, shape, gpu, precision)
    text = f"{p.seconds * 1e3:,.2f} ms {p.tokens_per_second / 1e3:,.0f} k tok/s"
    return f"{text:>24}"


def print_steps(p: Prediction) -> None:
    """A line for each operator of the first layer, and of what comes before and after it."""
    per_layer = f"{p.launches_per_layer} a layer"
    print(f"{p.launches} launches, {per_layer}; {p.roofline_share:.0%} of the roofline")
    print(f"{'operator':<20} {'launches':>8} {'GFLOP':>8} {'MB':>8} {'of least':>8} {'µs':>8}")
    for step in (*p.steps[:8], p.steps[-1]):
        print(
            f"{step.operator:<20} {step.launches:>8} {step.flops / 1e9:>8.2f} "
            f"{step.moved_nbytes / 1e6:>8.1f} {step.moved_share:>8.2f} {step.seconds * 1e6:>8.1f}"
        )


if __name__ == "__main__":
    main()
