"""Shapes whose bytes are counted: wide rows, odd ones, small blocks, long lines.

Every array is needed whole, unless ``spared`` says what is not. They are several times as large as
the cache of their launch, so that what is read twice is counted twice.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.reblock import cut
from tests.cuda.cases.recut import keys
from tests.cuda.cases.values import offsets

LONG = 1 << 15
"""Elements of a long line: 128 KiB in float32."""

ON_HOST = {"segment_rows": frozenset({1}), "recut": frozenset({1, 2})}
"""Arrays of numbers that operators hand over on the host."""


Given: TypeAlias = tuple[Any, ...]
"""Name of a kernel, label, arguments, and bytes that are spared."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A kernel and its arguments, as it is launched."""

    kernel: Kernel
    label: str
    """Unique within the kernel."""
    args: tuple[Any, ...]
    spared: int = 0
    """Bytes of the arguments and the result that nobody has to move."""

    @property
    def name(self) -> str:
        """Of the kernel and the shape."""
        return f"{self.kernel.name}: {self.label}"

    @property
    def host(self) -> frozenset[int]:
        """Places of arrays that come on the host."""
        return ON_HOST.get(self.kernel.name, frozenset())


def _x(*shape: int, dtype: str = "float32", seed: int = 0) -> Any:
    values = np.random.default_rng((seed, *shape)).standard_normal(shape, np.float32)
    return np.abs(values, out=values).astype(dtype)


def _whole(*shape: int, dtype: str = "int8") -> Any:
    return np.random.default_rng(shape).integers(0, 100, shape).astype(dtype)


def _mixed(n: int) -> Any:
    """The first numbers in any order."""
    return np.random.default_rng(n).permutation(n)


def _full(blocks: int, extent: int) -> Any:
    return np.full(blocks, extent, np.int64)


def _of_rows() -> Iterator[Given]:
    """Kernels over rows of a matrix."""
    for rows, width, dtype in (
        (1000, 384, "float32"),
        (1000, 383, "float32"),
        (1000, 383, "float16"),
        (5000, 77, "float32"),
        (12, 12000, "float32"),
        (12, 15000, "float32"),
        (12, LONG, "float32"),
    ):
        label = f"{rows} rows of {width}, {dtype}"
        x, other = _x(rows, width, dtype=dtype), _x(rows, width, dtype=dtype, seed=1)
        gamma, beta = _x(width, dtype=dtype), _x(width, dtype=dtype, seed=1)
        yield "bias_activation", label, (x, gamma, "gelu")
        yield "layer_norm", label, (x, gamma, beta, 1e-5)
        yield "residual_layer_norm", label, (x, gamma, other, gamma, beta, 1e-5)
        yield "embedding_layer_norm", label, ([x], [_mixed(rows)], gamma, beta, 1e-5)
        yield "row_softmax", label, (x, width)
        yield "normalize", label, (x, 1e-5)
        yield "rms_norm", label, (x, gamma, 1e-5)
        yield "row_scales", label, (x,)
        yield "quantize", label, (x, _x(rows))
        yield "cast", label, (x, "float64")
        yield "cast", f"{label} to int8", (x, "int8")
        yield "filter_elements", label, (x, ">", 0.1)
        yield "map_elements", label, (x, "gelu")
        yield "gated", label, (x, other, "silu")
        yield "zip_elements", label, (x, other, "add")
        yield "zip_elements", f"{label} and a row", (x, gamma, "add")
        yield "zip_elements", f"{label} and a column", (x, other[:, :1].copy(), "add")
        if dtype == "float32":
            yield "dequantize", label, (_whole(rows, width), _x(rows))
        for lengths in ((rows,), (rows // 3, rows - rows // 3), (1,) * rows):
            sequences = f"{label} in {len(lengths)} sequences"
            yield "pool", sequences, (x, offsets(*lengths), "mean", 1e-6)


def _of_blocks() -> Iterator[Given]:
    """Kernels that move or combine blocks, one after the other."""
    for blocks, block, dtype in (
        (4, (384, 256), "float32"),
        (4, (383, 257), "float32"),
        (4, (383, 257), "float16"),
        (6000, (8, 8), "float32"),
        (6000, (8, 8), "float16"),
        (6000, (7, 9), "float32"),
        (128, (64, 48), "float32"),
        (128, (63, 47), "float32"),
        (2, (6, LONG), "float32"),
        (2, (LONG, 6), "float32"),
    ):
        label = f"{blocks} blocks of {block[0]}×{block[1]}, {dtype}"
        x, order = _x(blocks, *block, dtype=dtype), _mixed(blocks)
        parts, places = [x[: blocks // 2], x[blocks // 2 :]], np.array_split(order, 2)
        yield "take_or_zero", label, (x, order)
        yield "place_blocks", label, (parts, places)
        yield "transpose_blocks", label, (x, order, (1, 0))
        yield "permute_axes", f"{label}, (0, 2, 1)", (x, (0, 2, 1))
        yield "permute_axes", f"{label}, (1, 0, 2)", (x, (1, 0, 2))
        yield "permute_axes", f"{label}, (2, 1, 0)", (x, (2, 1, 0))
        yield "broadcast_blocks", f"{label} from rows", (x[:, 0].copy(), order, block, (0,))
        yield "broadcast_blocks", f"{label} from columns", (x[:, :, :1].copy(), order, block, (1,))
        yield "zip_pairs", label, (x, x.copy(), order, order[::-1].copy(), (0, 1), "add")
        turned = x.transpose(0, 2, 1).copy()
        yield "zip_pairs", f"{label}, turned", (x, turned, order, order, (1, 0), "add")
        yield "segment_sum", label, (x, np.arange(0, blocks, 2))
        yield "shift_along", f"{label} by 3", ([x], (3,), (blocks + 1,), 0)
        yield "shift_along", f"{label} by 5 columns", ([x], (5,), (1, blocks + 1), 1)
        if dtype == "float32":
            grid = (2, blocks // 2)
            yield "reduce_grid", f"max, {label}", (x, grid, ((0, 2 * block[0]),), "max")
            yield from _of_lines(label, x)


def _of_lines(label: str, x: Any) -> Iterator[Given]:
    """Kernels that reduce the lines of blocks along an axis, and those that finish."""
    blocks, height, width = x.shape
    for axis in (0, 1):
        along = f"{label} along {axis}"
        lengths = _full(blocks, x.shape[1 + axis])
        for fn in ("sum", "max", "variance", "norm"):
            yield "reduce_axis", f"{fn}, {along}", (x, lengths, axis, fn)
        yield "reduce_axis", f"norm, {along}, float64", (x.astype("float64"), lengths, axis, "norm")
        yield "argmax_axis", along, (x, lengths, axis)
        yield "moments", along, (x, lengths, axis)
    yield "softmax_state", label, (x, _full(blocks, width))
    groups = np.arange(blocks)
    state = _x(blocks, 2, height)
    yield "softmax_apply", label, (x, state, groups)
    yield "divide_rows", label, (x, _x(blocks, height), groups, 1e-5)
    gamma, beta = _x(1, width), _x(1, width, seed=1)
    affine = (gamma, beta, np.zeros(blocks, np.int64))
    moments = state.astype("float64")
    yield "layer_norm_apply", label, (x, moments, groups, *affine, width, 1e-5)
    segments = np.random.default_rng(0).integers(0, blocks * height // 4, blocks * height)
    for fn in ("sum", "max"):
        yield "segment_rows", f"{fn}, {label}", (x, segments, 1, blocks * height // 4, 8, fn)


def _of_parts() -> Iterator[Given]:
    """Kernels that merge the results of parts."""
    for parts, groups, rest in ((16, 8, 3000), (16, 8, 2999), (400, 100, 77), (2000, 2, 33)):
        label = f"{parts} parts in {groups} lines of {rest}"
        starts = np.arange(0, parts, parts // groups)
        counts = np.full(parts, 32, np.int64)
        states = _x(parts, 2, rest)
        yield "merge_moments", label, (states.astype("float64"), counts, starts)
        yield "merge_softmax", label, (states, starts)
        for fn in ("sum", "norm"):
            wide = states[:, 0].astype("float64")
            args = (wide, counts, starts, fn, 32 * parts)
            yield "merge_parts", f"{fn}, {label}", args, counts.nbytes


def _of_cuts() -> Iterator[Given]:
    """Kernels that cut anew, and put beside each other."""
    for extent, block, new, dtype in (
        ((512, 384), (64, 384), (128, 384), "float32"),
        ((512, 384), (64, 64), (128, 96), "float32"),
        ((512, 384), (64, 64), (48, 384), "float32"),
        ((511, 383), (73, 383), (511, 1), "float32"),
        ((511, 390), (73, 65), (73, 39), "float32"),
        ((511, 390), (73, 65), (73, 39), "float16"),
        ((512, 384), (8, 8), (16, 16), "float32"),
        ((512, 384), (8, 8), (512, 384), "float32"),
        ((512, 384), (512, 384), (8, 8), "float32"),
        ((505, 385), (5, 7), (101, 77), "float32"),
        ((505, 385), (101, 77), (5, 7), "float32"),
    ):
        label = f"{extent[0]}×{extent[1]} of {block[0]}×{block[1]} in {new[0]}×{new[1]}, {dtype}"
        x = cut(_x(*extent, dtype=dtype), block)
        yield "reblock", label, (x, extent, block, new)
        yield "recut", label, (x, keys(extent, block), keys(extent, new), extent, block, new)
    for widths, dtype in (
        ((384, 384), "float32"),
        ((33, 77, 5), "float32"),
        ((383, 129), "float32"),
        ((383, 129), "float16"),
    ):
        parts = [_x(500, width, dtype=dtype) for width in widths]
        yield "concat_columns", f"500 rows of {widths}, {dtype}", (parts,)


def _of_sequences() -> Iterator[Given]:
    """Kernels over rows with positions, and over pairs of rows that meet in sequences."""
    for lengths, heads, width in (((64,) * 8, 12, 32), ((63, 1, 130, 40), 5, 33)):
        rows, pairs = sum(lengths), sum(n * n for n in lengths)
        label = f"sequences of {lengths[:4]}…, {heads} heads of {width}"
        q, k, v = (_x(rows, heads * width, seed=seed) for seed in range(3))
        o = offsets(*lengths)
        yield "attention", label, (q, k, v, o, heads, 0.2)
        yield "attention_scores", label, (q, k, o, pairs, heads, 0.2)
        relative = _x(1, 65)
        by_distance = f"{label}, by distance"
        yield "attention", by_distance, (q, k, v, o, heads, 0.2, False, None, None, relative)
        yield "attention_scores", by_distance, (q, k, o, pairs, heads, 0.2, relative)
        window = np.pad(np.zeros((1, 33), np.float32), ((0, 0), (1, 1)), constant_values=-np.inf)
        windowed = f"{label}, in a window of 16"
        yield "attention", windowed, (q, k, v, o, heads, 0.2, False, None, None, window)
        vectors, chosen = _x(64, heads * width), np.arange(65) % 64
        yield "distance_scores", label, (q, vectors, chosen, o, pairs, heads, 0.2, False)
        yield "attention_context", label, (_x(pairs, heads), v, o)
        yield "pair_softmax", label, (_x(pairs, heads), o)
        positions = np.arange(rows, dtype=np.int32)
        for part in (width, 16):
            for interleaved in (False, True) if part % 2 == 0 else ():
                turned = f"{label}, {part} turned, {'neighbours' if interleaved else 'halves'}"
                yield "rotary", turned, (q, positions, heads, 1e4, part, interleaved)
    for blocks, rows, heads, columns in ((8, 64, 12, 64), (8, 33, 5, 77)):
        label = f"{blocks} blocks of {rows}×{heads}×{columns}"
        number = np.zeros((blocks, rows), np.int64), np.zeros((blocks, columns), np.int64)
        starts = np.arange(0, blocks, 4)
        yield "sequence_softmax", label, (_x(blocks, rows, heads, columns), starts, *number)


def _in_part() -> Iterator[Given]:
    """Kernels that need a part of what they are given."""
    for rest, dtype in ((4096, "float32"), (4095, "float32")):
        states = _x(40, 2, rest).astype("float64")
        label = f"40 groups of {rest}"
        yield "variance_of_moments", label, (states, 7, dtype), states.nbytes // 2
    for shape, axis, start in (((60, 64, 96), 0, 32), ((60, 63, 95), 0, 31), ((60, 64, 96), 1, 48)):
        x, numbers = _x(*shape), np.arange(shape[0])
        kept = x[(slice(None),) * (1 + axis) + (slice(start),)].nbytes
        label = f"{shape} from {start} along {axis}"
        yield "clear_tail", label, (x, numbers, axis, start), x.nbytes + kept
    for parts, lines, rest in ((64, 16, 1000), (64, 2, 999)):
        positions, values = _whole(parts, rest, dtype="int64"), _x(parts, rest)
        values[:: parts // lines] = 9.0  # the first part of each line wins
        args = (positions, values, np.arange(parts) * 100, lines)
        label = f"{parts} parts in {lines} lines of {rest}"
        yield "merge_argmax", label, args, positions.nbytes - lines * rest * 8


FAMILIES = {
    "rows": _of_rows,
    "blocks": _of_blocks,
    "parts": _of_parts,
    "cuts": _of_cuts,
    "sequences": _of_sequences,
    "in part": _in_part,
}
"""Name -> what gives the shapes."""


def shapes(family: str) -> Iterator[Shape]:
    """One after the other: all together would take gigabytes."""
    for kernel, label, args, *spared in FAMILIES[family]():
        yield Shape(_kernel(kernel), label, args, *spared)


def _kernel(name: str) -> Kernel:
    kernel: Kernel = getattr(importlib.import_module(f"gpudb.kernels.{name}"), name)
    return kernel
