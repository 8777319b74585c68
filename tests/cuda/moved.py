"""What every kernel moves, over the least that any way of doing it must: a table that is kept.

    python -m tests.cuda.moved

writes the table again; read the difference then. ``memory`` is what passes between memory and the
cache of ``ptx/cache.py``, ``warps`` what each access of a warp asks that cache for, both over the
least: the sectors that hold the arguments and the result, each once.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tests.cuda.emulated import EmulatedArray, EmulatedDevice
from tests.cuda.moved_shapes import FAMILIES, Shape, shapes
from tests.cuda.ptx.cache import SECTOR
from tests.cuda.resources import as_text

FILE = Path(__file__).parent / "moved.json"

Row = dict[str, float]


class CountingDevice(EmulatedDevice):
    """Counts what launches move, and what is filled or copied beside them."""

    def __init__(self) -> None:
        super().__init__(cached=True)
        self.beside = 0
        """Sectors that pass without a launch of ours."""

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> EmulatedArray:
        array = super().zeros(shape, dtype)
        self.beside += _sectors(array.nbytes)
        return array

    def contiguous(self, x: Any) -> EmulatedArray:
        array = super().contiguous(x)
        if array is not x:
            self.beside += 2 * _sectors(array.nbytes)
        return array


def measured(shape: Shape) -> Row:
    """Launch a kernel; sectors of memory, and of warps, over the least."""
    device = CountingDevice()
    args = [x if n in shape.host else _put(device, x) for n, x in enumerate(shape.args)]
    assert shape.kernel.launch is not None
    out = shape.kernel.launch(device, *args)
    given = [x for arg in shape.args for x in (arg if isinstance(arg, list) else [arg])]
    arrays = [x for x in given if isinstance(x, np.ndarray)]
    least = sum(_sectors(x.nbytes) for x in (*arrays, out)) - shape.spared // SECTOR
    moved = asked = device.beside
    for _, traffic in device.launched:
        # Arrays of one allocation share their counts.
        for counted in {id(array): array for array in traffic.arrays}.values():
            moved += counted.moved_sectors
            asked += counted.read_sectors + counted.written_sectors
    return {"memory": round(moved / least, 3), "warps": round(asked / least, 2)}


def _put(device: EmulatedDevice, arg: Any) -> Any:
    if isinstance(arg, list):
        return [_put(device, x) for x in arg]
    return device.asarray(arg) if isinstance(arg, np.ndarray) else arg


def _sectors(nbytes: int) -> int:
    return -(-nbytes // SECTOR)


def measured_in(family: str) -> dict[str, Row]:
    """Name of a shape -> what it moves."""
    return {shape.name: measured(shape) for shape in shapes(family)}


def committed() -> dict[str, dict[str, Row]]:
    """Family -> name of a shape -> what it moved."""
    table: dict[str, dict[str, Row]] = json.loads(FILE.read_text(encoding="utf-8"))
    return table


def main() -> None:
    """Write the table."""
    with ProcessPoolExecutor() as pool:
        table = dict(zip(FAMILIES, pool.map(measured_in, FAMILIES), strict=True))
    FILE.write_text(as_text(table), encoding="utf-8")


if __name__ == "__main__":
    main()
