"""Cut some blocks of a tensor into some other blocks: ``(n, *block)`` -> ``(m, *new_block)``.

Like ``reblock``, for parts of the grids: ``keys`` ``(n, ndim)`` and ``new_keys`` ``(m, ndim)`` say
which blocks. Old blocks that are not given are zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from gpudb.kernels import Kernel


def reference(
    x: Any,
    keys: Any,
    new_keys: Any,
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> Any:
    """Block by block: each new one is put together from the old ones it lies over."""
    place: dict[tuple[int, ...], int] = {tuple(k): n for n, k in enumerate(keys.tolist())}
    out: Any = np.zeros((len(new_keys), *new_block), x.dtype)
    for number, new_key in enumerate(new_keys.tolist()):
        for key in touched(new_key, extent, block, new_block):
            if key not in place:
                continue
            into, source = _overlap(new_key, key, extent, block, new_block)
            out[(number, *into)] = x[(place[key], *source)]
    return out


def shape(
    x: Any,
    keys: Any,
    new_keys: Any,
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(new_keys), *new_block)


def touched(
    new_key: Sequence[int],
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> Iterator[tuple[int, ...]]:
    """Keys of the old blocks that a new one lies over."""
    spans = []
    for k, e, old, new in zip(new_key, extent, block, new_block, strict=True):
        start, stop = k * new, min(e, (k + 1) * new)
        spans.append(range(start // old, -(-stop // old)))
    return product(*spans)


def _overlap(
    new_key: Sequence[int],
    key: Sequence[int],
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """What two blocks share: its place in the new one and in the old one."""
    into, source = [], []
    for n, k, e, old, new in zip(new_key, key, extent, block, new_block, strict=True):
        start = max(n * new, k * old)
        stop = min((n + 1) * new, (k + 1) * old, e)
        into.append(slice(start - n * new, stop - n * new))
        source.append(slice(start - k * old, stop - k * old))
    return tuple(into), tuple(source)


recut = Kernel("recut", reference, shape)
