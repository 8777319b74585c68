"""Tensors that are cut into blocks in two ways, with as few axes as possible."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from gpudb.errors import DeviceError
from gpudb.kernels.boxes import MAX_AXES, padded


@dataclass(frozen=True, slots=True)
class Cuts:
    """Along each axis: elements of the tensor, of an old block and of a new one."""

    extent: tuple[int, ...]
    block: tuple[int, ...]
    new_block: tuple[int, ...]

    @property
    def axes(self) -> int:
        """How many there are, 1 at least."""
        return len(self.extent)

    @property
    def grid(self) -> tuple[int, ...]:
        """Old blocks along each axis."""
        return tuple(ceil(e / b) if b else 1 for e, b in zip(self.extent, self.block, strict=True))

    def is_packed(self, itemsize: int) -> bool:
        """Whether 16 bytes of a new block are 16 bytes of an old one, or of padding."""
        per = 16 // itemsize
        return all(n[-1] % per == 0 for n in (self.extent, self.block, self.new_block))

    def numbers(self, numbered: tuple[int, ...]) -> tuple[int, ...]:
        """Arguments of a kernel: the new block, the tensor, the old block, old blocks to number.

        An old block of no elements, where a named extent is 0, is never read; 1 can be divided by.
        """
        old = tuple(max(1, b) for b in self.block)
        along = (self.new_block, self.extent, old, numbered)
        return tuple(number for numbers in along for number in padded(numbers, 1))


def merged(
    extent: tuple[int, ...], block: tuple[int, ...], new_block: tuple[int, ...]
) -> tuple[Cuts, list[int]]:
    """An axis that nothing cuts is one with the axis before it.

    Returns
    -------
    tuple of Cuts and list of int
        The cuts, and which axes keep a place of their own in block keys.

    Raises
    ------
    DeviceError
        More than :data:`MAX_AXES` are left.
    """
    axes: list[Any] = []
    kept = []
    for axis, (e, old, new) in enumerate(zip(extent, block, new_block, strict=True)):
        if axes and e == old == new:
            axes[-1] = tuple(n * e for n in axes[-1])
        else:
            axes.append((e, old, new))
            kept.append(axis)
    if len(axes) > MAX_AXES:
        raise DeviceError(
            f"a tensor of shape {extent} is cut along {len(axes)} axes; kernels know {MAX_AXES}"
        )
    along = tuple(zip(*axes, strict=True)) or ((1,), (1,), (1,))
    return Cuts(*along), kept
