"""The inputs of a model's batch: LIST columns of cuDF, and their memory as kernels read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pylibcudf as plc

from gpudb.backend.cuda.columns import sequence_column


@dataclass(frozen=True, slots=True, eq=False)
class Sequences(Mapping[str, Any]):
    """Inputs by name; each is a LIST column, too, and all share their offsets.

    Rows of numbers, ``(t, width)``, are LISTs in LISTs. A recorded run is given new inputs by
    writing over these arrays: then the columns have changed as well.
    """

    columns: Mapping[str, plc.Column]
    """Over the memory of ``arrays``: row i is sequence i."""
    arrays: Mapping[str, Any]

    @classmethod
    def of(cls, arrays: Mapping[str, Any], offsets: str) -> Sequences:
        """Columns over arrays that are on the device; nothing is copied.

        Only where rows of numbers start is computed, by a launch; token ids need none.
        """
        packed = {name: x for name, x in arrays.items() if name != offsets}
        columns = {name: sequence_column(x, arrays[offsets]) for name, x in packed.items()}
        return cls(columns, arrays)

    def __getitem__(self, name: str) -> Any:
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)
