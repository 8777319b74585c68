"""What a logical plan means: the same steps on dense NumPy arrays in float64, without blocks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np

from gpudb.kernels.elementwise import MAPS, ZIPS
from gpudb.kernels.rotary import turns
from gpudb.keys import COMPARE, in_shared_sequences, matching
from gpudb.plan import elementwise, fused, reduce, relational, reshape, sequence, tensor
from gpudb.plan.node import Node, walk
from gpudb.types import HostArray, TensorSchema

Values = Mapping[str, HostArray]


def dense(plan: Node, arrays: Values) -> HostArray:
    """The result of a plan over arrays by name."""
    done: dict[int, HostArray] = {}
    for node in walk(plan):
        if isinstance(node, tensor.Input):
            stored = np.asarray(arrays[node.tensor.name])
            done[id(node)] = stored.astype(np.float64) if stored.dtype.kind == "f" else stored
        elif isinstance(node, tensor.Constant):
            done[id(node)] = np.reshape(node.values, node.schema.numbers)
        elif isinstance(node, tensor.Scan):
            stored = np.asarray(arrays[node.tensor.name])
            whole = stored.astype(np.float64) if stored.dtype.kind == "f" else stored
            done[id(node)] = _filtered(whole, node.tensor, node.tests)
        else:
            done[id(node)] = meaning(node, *(done[id(child)] for child in node.children))
        found, expected = done[id(node)].shape, node.schema.numbers
        assert found == expected, f"{node!r} gives {found}"
    return done[id(plan)]


@singledispatch
def meaning(node: Node, *inputs: HostArray) -> HostArray:
    raise NotImplementedError(type(node).__name__)


@meaning.register
def _(node: tensor.Gather, table: HostArray, rows: HostArray) -> HostArray:
    return table[rows]


@meaning.register
def _(node: tensor.Matmul, left: HostArray, right: HostArray) -> HostArray:
    return left @ (right.T if node.transpose_right else right)


@meaning.register
def _(node: tensor.Map, x: HostArray) -> HostArray:
    return MAPS[node.fn](x)


@meaning.register
def _(node: tensor.Zip, x: HostArray, y: HostArray) -> HostArray:
    return ZIPS[node.fn](x, y)


@meaning.register
def _(node: tensor.Columns, x: HostArray) -> HostArray:
    return x[..., node.start : node.stop]


@meaning.register
def _(node: fused.Gated, x: HostArray, y: HostArray) -> HostArray:
    return MAPS[node.fn](x) * y


@meaning.register
def _(node: tensor.LayerNorm, x: HostArray, gamma: HostArray, beta: HostArray) -> HostArray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + node.eps) * gamma + beta


@meaning.register
def _(node: fused.RmsNorm, x: HostArray, gamma: HostArray) -> HostArray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + node.eps) * gamma


@meaning.register(tensor.Dropout)
@meaning.register(tensor.Reblock)
@meaning.register(tensor.Coalesce)
def _(node: Node, x: HostArray) -> HostArray:
    return x


@meaning.register
def _(node: elementwise.FilterElements, x: HostArray) -> HostArray:
    return np.where(COMPARE[node.compare](x, node.value), x, 0)


@meaning.register
def _(node: elementwise.ZipScalar, x: HostArray) -> HostArray:
    fn = ZIPS[node.fn]
    return fn(np.float64(node.value), x) if node.swapped else fn(x, np.float64(node.value))


@meaning.register
def _(node: elementwise.Cast, x: HostArray) -> HostArray:
    return x.astype(np.float64 if "float" in node.dtype else node.dtype)


@meaning.register
def _(node: relational.FilterKeys, x: HostArray) -> HostArray:
    return _filtered(x, node.child.schema, node.tests)


@meaning.register
def _(node: relational.Join, left: HostArray, right: HostArray) -> HostArray:
    return _filtered(_joined(node, left, right), node.schema, node.tests)


def _joined(node: relational.Join, left: HostArray, right: HostArray) -> HostArray:
    a, b = _labels(node)
    out = a + [label for label in b if label not in a]
    if node.kernel not in relational.PRODUCTS:
        return ZIPS[node.kernel](_spread(left, a, out), _spread(right, b, out))
    axis, other = node.contracted
    step = node.left.schema.block_numbers[axis]
    parts = [
        np.einsum(
            np.take(left, range(start, min(start + step, left.shape[axis])), axis),
            a,
            np.take(right, range(start, min(start + step, left.shape[axis])), other),
            b,
            [label for label in out if label != a[axis]],
        )
        for start in range(0, left.shape[axis], step)
    ]
    if not parts:
        return np.zeros(node.schema.numbers)
    return np.stack(parts, axis)


@meaning.register
def _(node: relational.Contract, left: HostArray, right: HostArray) -> HostArray:
    a, b = _labels(node)
    summed = a[node.contracted[0]]
    out = [label for label in a + b if label != summed]
    product = np.einsum(left, a, right, b, list(dict.fromkeys(out)))
    return _filtered(product, node.schema, node.tests)


@meaning.register
def _(node: relational.Aggregate, x: HostArray) -> HostArray:
    s, fn = node.child.schema, node.fn
    if fn == "count":
        x, fn = np.ones_like(x), "sum"
    for axis in node.dropped:
        step, extent = s.block_numbers[axis], x.shape[axis]
        folded = [np.take(x, range(at, extent, step), axis) for at in range(min(step, extent))]
        if step == 1:
            folded = [x if extent else np.zeros(_with(x.shape, axis, 1))]
        kept = [_combine(part, axis, fn) for part in folded]
        x = np.stack(kept, axis) if kept else np.zeros(_with(x.shape, axis, 0))
    for axis in reversed(node.dropped):
        if s.block_numbers[axis] == 1:
            x = x.squeeze(axis)
    return x.reshape(node.schema.numbers)


@meaning.register
def _(node: relational.Project, x: HostArray) -> HostArray:
    s = node.child.schema
    for axis, number in sorted(node.dropped, reverse=True):
        step = s.block_numbers[axis]
        x = np.take(x, range(number * step, min((number + 1) * step, x.shape[axis])), axis)
        if step == 1:
            x = x.squeeze(axis)
    return x.reshape(node.schema.numbers)


@meaning.register
def _(node: relational.Rekey, x: HostArray) -> HostArray:
    s, block = node.child.schema, node.child.schema.block_numbers
    whole = tuple(ceil(e / b) * b for e, b in zip(s.numbers, block, strict=True))
    padded = np.zeros(whole, x.dtype)
    padded[tuple(slice(e) for e in x.shape)] = x
    new = node.schema
    out = np.zeros(tuple(ceil(e / b) * b for e, b in zip(new.numbers, block, strict=True)), x.dtype)
    for key in np.ndindex(s.grid):
        moved = [scale * key[axis] + offset for axis, scale, offset in node.keys]
        out[_block(moved, block)] = padded[_block(key, block)]
    return out[tuple(slice(e) for e in new.numbers)]


@meaning.register
def _(node: reshape.Transpose, x: HostArray) -> HostArray:
    return x.transpose(node.order)


@meaning.register
def _(node: reshape.Broadcast, x: HostArray) -> HostArray:
    return np.broadcast_to(x, node.shape)


@meaning.register
def _(node: reshape.Concat, *parts: HostArray) -> HostArray:
    return np.concatenate(parts, node.axis)


@meaning.register
def _(node: reshape.Slice, x: HostArray) -> HostArray:
    return x[tuple(slice(a, b) for a, b in zip(node.starts, node.stops, strict=True))]


@meaning.register(reshape.SplitAxis)
@meaning.register(reshape.MergeAxes)
def _(node: Node, x: HostArray) -> HostArray:
    return x.reshape(node.schema.numbers)


@meaning.register
def _(node: reduce.Reduce, x: HostArray) -> HostArray:
    if node.fn == "variance":
        result = x.var(node.axis)
    elif node.fn == "norm":
        result = np.sqrt((x * x).sum(node.axis))
    else:
        result = _combine(x, node.axis, node.fn)
    return np.asarray(result).reshape(node.schema.numbers)


@meaning.register
def _(node: reduce.SegmentAggregate, x: HostArray, segments: HostArray) -> HostArray:
    out = np.zeros(node.schema.numbers)
    for number in range(node.count):
        rows = x[segments == number]
        if len(rows):
            out[number] = _combine(rows, 0, node.fn)
    return out


@meaning.register
def _(node: reduce.RowSoftmax, x: HostArray) -> HostArray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@meaning.register
def _(node: sequence.SequenceSoftmax, x: HostArray) -> HostArray:
    out = np.zeros_like(x)
    for start, stop in pairwise(node.offsets):
        if start < stop:
            part = x[start:stop, :, start:stop]
            e = np.exp(part - part.max(-1, keepdims=True))
            out[start:stop, :, start:stop] = e / e.sum(-1, keepdims=True)
    return out


@meaning.register
def _(node: sequence.ByDistance, relative: HostArray) -> HostArray:
    most, out = relative.shape[1] // 2, np.zeros(node.schema.numbers)
    for i, h, j in np.ndindex(*out.shape):
        out[i, h, j] = relative[h % len(relative), max(-most, min(most, j - i)) + most]
    step = node.schema.block_numbers[0]
    return _filtered(out, node.schema, (in_shared_sequences(node.offsets, step),))


@meaning.register
def _(node: sequence.Rotary, x: HostArray, positions: HostArray) -> HostArray:
    out = x.copy()
    half, width = node.part // 2, x.shape[1] // node.heads
    cos, sin = turns(positions, node.base, node.part)  # float32, which is part of the meaning
    for head in range(node.heads):
        for pair in range(half):
            first = head * width + (2 * pair if node.interleaved else pair)
            other = first + (1 if node.interleaved else half)
            # A pair is a complex number, and turned by another of length one.
            turned = (x[:, first] + 1j * x[:, other]) * (cos[:, pair] + 1j * sin[:, pair])
            out[:, first], out[:, other] = turned.real, turned.imag
    return out


@meaning.register
def _(node: sequence.Normalize, x: HostArray) -> HostArray:
    return x / np.maximum(np.sqrt((x * x).sum(-1, keepdims=True)), node.eps)


def _combine(x: HostArray, axis: int, fn: str) -> HostArray:
    """One element for each line along ``axis``, without the axis."""
    functions: Mapping[str, Any] = {
        "sum": np.sum,
        "mean": np.mean,
        "max": np.max,
        "min": np.min,
        "argmax": np.argmax,
    }
    if fn == "count":
        return np.full(_with(x.shape, axis, None), x.shape[axis])
    return functions[fn](x, axis=axis)


def _filtered(x: HostArray, schema: TensorSchema, tests: Any) -> HostArray:
    if not tests:
        return x
    out = np.zeros_like(x)
    for key in np.ndindex(schema.grid):
        if matching(np.array([key], np.int32), tests)[0]:
            place = _block(key, schema.block_numbers)
            out[place] = x[place]
    return out


def _labels(node: Any) -> tuple[list[int], list[int]]:
    """Einsum labels of both sides; joined axes share one."""
    left = list(range(node.left.schema.ndim))
    joined = {right: axis for axis, right in node.on}
    right = [joined.get(axis, len(left) + axis) for axis in range(node.right.schema.ndim)]
    return left, right


def _spread(x: HostArray, labels: list[int], out: list[int]) -> HostArray:
    """``x`` with its axes in the places of ``out``, extent 1 elsewhere."""
    order = sorted(range(len(labels)), key=lambda axis: out.index(labels[axis]))
    moved = x.transpose(order)
    return moved[tuple(slice(None) if label in labels else None for label in out)]


def _block(key: Any, block: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(k * b, (k + 1) * b) for k, b in zip(key, block, strict=True))


def _with(shape: tuple[int, ...], axis: int, extent: int | None) -> tuple[int, ...]:
    new = () if extent is None else (extent,)
    return (*shape[:axis], *new, *shape[axis + 1 :])
