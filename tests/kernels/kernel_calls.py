"""One or more calls of every kernel, found by the file it lies in."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.tiny_plans import cut, offsets_of


def calls(dtype: str = "float32") -> dict[str, list[tuple[Any, ...]]]:
    """File name of a kernel -> arguments of a few calls of it."""
    random = np.random.default_rng(0)

    def x(*shape: int) -> Any:
        return random.standard_normal(shape).astype(dtype)

    def rows(least: int, n: int) -> Any:
        return random.integers(0, least, n, dtype=np.int32)

    # Blocks of 3×4, three to a line of 11 elements along the last axis, and none.
    cut_lines = [(x(6, 3, 4), np.array([4, 4, 3] * 2)), (x(0, 3, 4), np.array([], np.int64))]
    starts = {6: np.array([0, 3]), 0: np.array([], np.int64)}
    groups = {6: np.array([0, 0, 0, 1, 1, 1]), 0: np.array([], np.int64)}
    columns = {6: np.array([0, 1, 2] * 2), 0: np.array([], np.int64)}

    lengths = ([3, 0, 1, 2], [], [0], [1])
    sequences = [(offsets_of(n), sum(n), sum(i * i for i in n)) for n in lengths]
    return {
        "attention": [
            (x(n, 6), x(n, 6), x(n, 6), o, 2, 0.5, *bias)
            for o, n, _ in sequences
            for bias in ((), (False, None, x(18)), (False, None, None, x(2, 3)))
        ],
        "attention_context": [(x(pairs, 2), x(n, 6), o) for o, n, pairs in sequences],
        "attention_scores": [
            (x(n, 6), x(n, 6), o, pairs, 2, 0.5, *relative)
            for o, n, pairs in sequences
            for relative in ((), (x(1, 3),))
        ],
        "bias_activation": [(x(n, 4), x(4), fn) for n in (0, 1, 5) for fn in (None, "gelu")],
        "cast": [(x(*n), to) for n in ((0, 2), (3, 2, 2)) for to in ("float64", "int32")],
        "dequantize": [
            (random.integers(-127, 128, (n, 4), dtype=np.int8), np.abs(x(n)).astype(np.float32))
            for n in (0, 1, 7)
        ],
        "distance_scores": [
            (x(n, 6), x(4, 6), np.array([3, 0, 1]), o, pairs, 2, 0.5, by_key)
            for o, n, pairs in sequences
            for by_key in (False, True)
        ],
        "embedding_layer_norm": [
            ([x(3, 4), x(5, 4)], [rows(3, n), rows(5, n)], x(4), x(4), 1e-5) for n in (0, 1, 7)
        ],
        "filter_elements": [(x(*n), ">", 0.1) for n in ((0, 2), (1, 1), (3, 2, 2))],
        "gated": [(x(n, 4), x(n, 4), fn) for n in (0, 1, 7) for fn in ("gelu", "exp")],
        "layer_norm": [(x(n, 4), x(4), x(4), 1e-5) for n in (0, 1, 7)],
        "map_elements": [(x(*n), "gelu") for n in ((), (0, 2), (3, 2, 2))],
        "normalize": [(x(n, 4), 1e-5) for n in (0, 1, 7)],
        "pair_softmax": [(x(pairs, 2), o) for o, _, pairs in sequences],
        "permute_axes": [(x(2, 3, 4), (0, 2, 1)), (x(0, 3, 4), (2, 0, 1)), (x(5), (0,))],
        "pool": [
            (x(n, 3), o, kind, eps)
            for o, n, _ in sequences
            for kind in ("mean", "max", "cls", "last", "root_mean", "rising_mean")
            for eps in (None, 1e-6)
        ],
        "quantize": [(x(n, 4), np.abs(x(n)).astype(np.float32)) for n in (0, 1, 7)],
        "reblock": [
            (cut(x(*shape), old), shape, old, new)
            for shape in ((5, 7), (0, 3), (3, 0), (1, 1))
            for old, new in (((2, 3), (4, 4)), ((9, 9), (1, 7)), ((1, 1), (5, 7)))
        ],
        "reduce_grid": [
            (x(6, 2, 3), (2, 3), dropped, fn)
            for dropped, fn in (
                (((1, 8),), "max"),
                (((0, 4), (1, 9)), "min"),
                ((), "max"),
                (((0, 3),), "argmax"),
            )
        ],
        "recut": [
            (x(4, 2, 3), np.argwhere(np.ones((2, 2))), wanted, (4, 6), (2, 3), (4, 2))
            for wanted in (np.array([[0, 1], [0, 2]]), np.zeros((0, 2), int))
        ],
        "residual_layer_norm": [
            (x(n, 4), bias, x(n, 4), x(4), x(4), 1e-5) for n in (0, 1, 7) for bias in (None, x(4))
        ],
        "segment_sum": [
            (x(5, 2, 3), np.array([0, 1, 4])),
            (x(0, 2, 3), np.array([], np.int64)),
            (x(1, 2, 3), np.array([0])),
        ],
        "sequence_softmax": [
            (x(3, 2, 1, 2), np.array([0, 2]), np.array([[0, 1], [0, 1], [1, -1]]), np.array(c))
            for c in ([[0, 1], [1, 1], [1, -2]], [[0, 0], [1, 5], [1, 1]])
        ]
        + [(x(0, 2, 1, 2), np.array([], np.int64), np.zeros((0, 2)), np.zeros((0, 2)))],
        "take_or_zero": [
            (x(3, 2, 2), np.array(numbers, np.int64)) for numbers in ([2, -1, 0, 2], [-1], [])
        ],
        "argmax_axis": [(b, n, 1) for b, n in cut_lines],
        "broadcast_blocks": [
            (x(3, 2), np.array(rows), (3, 4, 2), (0, 1)) for rows in ([0, 0, 2], [1])
        ]
        + [(x(3, 1, 2), np.array([2, 0]), (4, 2), (0,))],
        "divide_rows": [
            (b, x(len(starts[len(n)]), 3) ** 2, groups[len(n)], 1e-5) for b, n in cut_lines
        ],
        "layer_norm_apply": [
            (
                b,
                np.abs(random.standard_normal((len(starts[len(n)]), 2, 3))),
                groups[len(n)],
                x(3, 4),
                x(3, 4),
                columns[len(n)],
                11,
                1e-5,
            )
            for b, n in cut_lines
        ],
        "merge_argmax": [
            (random.integers(0, 9, (n, 2)), x(n, 2), np.arange(n) * 9, lines)
            for n, lines in ((6, 2), (3, 3), (0, 0))
        ],
        "merge_moments": [
            (np.abs(random.standard_normal((n, 2, 3))), np.arange(1, n + 1), starts[n])
            for n in (6, 0)
        ],
        "merge_parts": [
            (x(n, 3), np.arange(1, n + 1), starts[n], fn, 99)
            for n in (6, 0)
            for fn in ("sum", "mean", "max", "min", "norm")
        ],
        "merge_softmax": [(x(n, 2, 3) ** 2, starts[n]) for n in (6, 0)],
        "moments": [(b, n, 1) for b, n in cut_lines],
        "clear_tail": [
            (x(*shape), np.array(blocks, np.int64), axis, 1)
            for shape, blocks, axis in (
                ((3, 2, 4), [2, 0], 1),
                ((3, 2, 4), [1], 0),
                ((0, 2), [], 0),
            )
        ],
        "concat_columns": [([x(3, 2), x(3, 5), x(3, 1)],), ([x(0, 2)],)],
        "place_blocks": [
            ([x(2, 2, 3), x(1, 2, 3)], [np.array([0, 2]), np.array([1])]),
            ([x(0, 2)], [np.array([], np.int64)]),
        ],
        "reduce_axis": [
            (b, n, 1, fn)
            for b, n in cut_lines
            for fn in ("sum", "mean", "max", "min", "variance", "norm")
        ]
        + [(x(2, 3, 4), np.array([3, 2]), 0, "sum"), (x(2, 4), np.array([4, 1]), 0, "max")],
        "rotary": [
            (x(n, 12), rows(9, n), 2, 1e4, part, interleaved)
            for n in (0, 1, 7)
            for part in (2, 6)
            for interleaved in (False, True)
        ],
        "row_scales": [(x(n, 4),) for n in (0, 1, 7)] + [(x(2, 0),)],
        "rms_norm": [(x(n, 4), x(4), 1e-5) for n in (0, 1, 7)],
        "row_softmax": [(x(n, 4), width) for n in (0, 1, 7) for width in (0, 1, 4)],
        "segment_rows": [
            (x(4, 2, 3), rows(5, n), 2, 5, r, fn)
            for n in (0, 3, 4)
            for r in (2, 5)
            for fn in ("sum", "mean", "max", "min")
        ],
        "shift_along": [
            ([x(4, 2, 3), x(2, 2, 3)], (0, 2 * blocks - 1), (2, 3), 1) for blocks in (1, 2)
        ]
        + [([x(4, 2, 3)], (-1,), (2, 2), 0), ([x(0, 2)], (3,), (2,), 0)],
        "softmax_apply": [
            (b, x(len(starts[len(n)]), 2, 3) ** 2 + 1, groups[len(n)]) for b, n in cut_lines
        ],
        "softmax_state": [(b, n) for b, n in cut_lines],
        "transpose_blocks": [
            (x(3, 2, 4), np.array(chosen, np.int64), order)
            for chosen in ([0, 1, 2], [2, 0, 1], [])
            for order in ((0, 1), (1, 0))
        ],
        "variance_of_moments": [(random.random((n, 2, 3)), 7, dtype) for n in (0, 2)],
        "zip_elements": [
            (x(*a), x(*b), "subtract")
            for a, b in (
                ((3, 4), (3, 4)),
                ((3, 4), (4,)),
                ((3, 1), (1, 4)),
                ((), (2,)),
                ((0, 2), ()),
            )
        ],
        "zip_pairs": [
            (x(3, 2, 1, 4), x(2, 5, 4), np.array(a), np.array(b), (None, 0, 1), "subtract")
            for a, b in (([2, -1, 0], [0, 1, -1]), ([1], [1]))
        ],
    }
