"""What a model is given for a run: what its plan declares, and checks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gpudb.errors import InputError
from gpudb.plan.node import Node, walk
from gpudb.plan.tensor import Gather, Input
from gpudb.types import HostArray, TensorSchema


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """The inputs of one plan."""

    declared: Mapping[str, TensorSchema]
    """By name."""
    extents: Mapping[str, int]
    """Input of row numbers -> rows of the table that they look up."""
    by_row: frozenset[str]
    """Names of those that have a row for each row of the sequences."""

    @classmethod
    def of(cls, plan: Node) -> ModelInputs:
        """What a plan says of them."""
        nodes = list(walk(plan))
        declared = {n.tensor.name: n.tensor for n in nodes if isinstance(n, Input)}
        extents = {
            n.rows.tensor.name: int(n.table.schema.shape[0])
            for n in nodes
            if isinstance(n, Gather) and isinstance(n.rows, Input)
        }
        by_row = frozenset(n for n, s in declared.items() if s.shape[0] == "tokens")
        return cls(declared, extents, by_row)

    def width(self, name: str) -> int | None:
        """Numbers in a row of an input; None where it has no second axis."""
        _, *width = self.declared[name].shape
        return int(width[0]) if width else None

    def converted(self, inputs: Mapping[str, HostArray]) -> dict[str, HostArray]:
        """Inputs in the dtype and width that the plan declares.

        Raises
        ------
        InputError
            An input has another width, or row numbers outside its table.
        """
        converted = {}
        for name, values in inputs.items():
            if name in self.extents and values.size:
                _check_row_numbers(name, values, self.extents[name])
            schema = self.declared[name]
            if values.shape[1:] != schema.shape[1:]:
                raise InputError(
                    f"infer: {name} has shape {values.shape}; the model takes {schema.shape}"
                )
            converted[name] = np.ascontiguousarray(values, schema.dtype)
        return converted


def check_offsets(offsets: HostArray) -> int:
    """Check that offsets start at 0 and do not fall; rows of the longest sequence."""
    if offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets) and offsets[0] == 0:
        signed = offsets.astype(np.int64)  # what falls without a sign would rise far
        lengths = signed[1:] - signed[:-1]
        if lengths.min(initial=0) >= 0:
            return int(lengths.max(initial=0))
    raise InputError(
        f"infer: offsets are {offsets!r:.80}; expected integers that start at 0 and do not "
        "fall, one more than there are sequences"
    )


def check_rows(
    inputs: Mapping[str, HostArray], known: frozenset[str], needed: str, rows: int
) -> None:
    """Check that the inputs are those that are needed or known, with so many rows each."""
    if needed not in inputs or not set(inputs) <= known:
        raise InputError(
            f"infer: found inputs {sorted(inputs)}; this model needs {needed!r} and takes "
            f"{sorted(known)}"
        )
    for name, values in inputs.items():
        if values.ndim == 0 or len(values) != rows:
            raise InputError(
                f"infer: {name} has shape {values.shape}, the offsets end at {rows}; "
                "they must agree in rows"
            )


def _check_row_numbers(name: str, values: HostArray, extent: int) -> None:
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() >= extent:
        raise InputError(
            f"infer: {name} must be integers from 0 to {extent - 1}; found {values.dtype} from "
            f"{values.min()} to {values.max()}"
        )
