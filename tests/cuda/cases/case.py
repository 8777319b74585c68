"""One call of a kernel that every way of running it must get right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gpudb.kernels import Kernel

SINGLE = ("float32",)
REAL = ("float32", "float64")
STORED = ("float32", "float16", "bfloat16")
"""Dtypes of arrays that a kernel takes; bfloat16 arrays hold their bits in uint16."""

TOLERANCES: dict[str, float] = {
    "float64": 1e-13,  # sums in another order
    "float32": 2e-6,  # a few roundings of 6e-8, and functions within 2 units in the last place
    "float16": 2e-3,  # the result is rounded to 11 bits
    "bfloat16": 1e-2,  # to 8 bits
}
"""Largest |got - want| / (scale + |want|), by dtype."""

Place: TypeAlias = int | tuple[int, int]
"""An argument: its number; or one array of a list: the number of the list, and in the list."""


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel and its arguments.

    Floating arrays are given in float64. Whoever runs the case stores them in each of ``dtypes``,
    gives these to ``kernel.launch``, and compares with ``kernel.reference`` of the stored numbers
    in float64: same shape, same dtype as ``kernel.dtype`` says, NaN and infinities in the same
    places, everything else within the tolerance.
    """

    kernel: Kernel
    label: str
    """Unique within the kernel."""
    args: tuple[Any, ...]
    """Arrays, lists of arrays, numbers; as ``kernel.reference`` takes them."""
    dtypes: tuple[str, ...] = SINGLE
    wide: frozenset[int] = frozenset()
    """Places of floating arrays that stay float64 whatever the dtype: states of merges."""
    host: frozenset[int] = frozenset()
    """Places of whole-number arrays that operators hand over on the host."""
    scale: float = 1.0
    """Of the values, where small results come from large ones."""
    tolerances: Mapping[str, float] = field(default_factory=lambda: TOLERANCES)
    exact: bool = False
    """Bits are equal: nothing is computed, only moved."""
    block_sizes: tuple[int, ...] = (32, 1024)
    """Threads of a block that are tried, beside those that the launch code chooses."""
    overwrites: bool = False
    """The first array is the result's memory."""
    shifted: frozenset[Place] = frozenset()
    """Arrays that are stored one element behind a boundary of 16 bytes."""
    spread: frozenset[Place] = frozenset()
    """Matrices whose rows are stored 16 bytes further apart than they are long."""
