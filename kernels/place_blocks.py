"""Put blocks of several relations in their places: k times ``(n_i, *block)`` -> ``(n, *block)``.

``places[i]`` ``(n_i,)`` is where the blocks of part ``i`` go; together they fill every place once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel


def reference(parts: list[Any], places: list[Any]) -> Any:
    """One copy of each block."""
    out = np.empty(shape(parts, places), parts[0].dtype)
    for part, place in zip(parts, places, strict=True):
        out[place] = part
    return out


def shape(parts: list[Any], places: list[Any]) -> tuple[int, ...]:
    """Shape of the result."""
    return (sum(len(place) for place in places), *parts[0].shape[1:])


place_blocks = Kernel("place_blocks", reference, shape)
