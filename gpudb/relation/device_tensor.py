"""A result where it was computed, and every way that other libraries take it from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import pyarrow as pa

from gpudb.backend import Array, Backend
from gpudb.errors import DeviceError
from gpudb.exec.batch import BlockBatch
from gpudb.exec.block_table import block_table
from gpudb.exec.missing import rows_of_full_grid, take_blocks
from gpudb.kernels.reblock import reblock
from gpudb.relation.block_files import batch_parts, write_blocks
from gpudb.types import HostArray, TensorSchema


@dataclass(frozen=True, slots=True, eq=False)
class DeviceTensor:
    """The blocks of a computed tensor, on the device.

    It goes, without a copy, to whatever takes ``__dlpack__`` (PyTorch, JAX, CuPy, NumPy),
    ``__cuda_array_interface__`` (Numba, CuPy; a GPU's only) or ``__arrow_c_device_array__`` (cuDF,
    pyarrow).
    """

    batch: BlockBatch
    """Keys on the host, blocks on the device; blocks that are not there are zero."""
    schema: TensorSchema
    backend: Backend

    @property
    def array(self) -> Array:
        """The dense tensor, of CuPy or NumPy; no copy where it is one block."""
        rows = rows_of_full_grid(self.batch.keys, self.schema)
        blocks = take_blocks(self.backend, self.batch.data, rows)
        shape = self.schema.numbers
        if blocks.shape == (1, *shape):
            return blocks[0]
        args = (shape, self.schema.block_numbers, shape)
        return self.backend.call(reblock, blocks, *args)[0]

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        interface: dict[str, Any] = self.array.__cuda_array_interface__
        return interface

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def __arrow_c_device_array__(self, requested_schema: Any = None, **options: Any) -> Any:
        """The block table: key columns ``i0``, ``i1``, …, and ``block``."""
        if self.backend.name == "cuda":
            (frame,) = self.cudf()
            return frame.to_pylibcudf()[0].__arrow_c_device_array__(requested_schema)
        (batch,) = self.arrow().combine_chunks().to_batches() or [_empty(self.arrow())]
        return batch.__arrow_c_device_array__(requested_schema, **options)

    def numpy(self) -> HostArray:
        """The dense tensor on the host."""
        return self.backend.to_host(self.array)

    def arrow(self) -> pa.Table:
        """The block table on the host."""
        return block_table(self.batch.keys, self.backend.to_host(self.batch.data), self.schema)

    def cudf(self) -> Sequence[Any]:
        """The block table as ``cudf.DataFrame`` over the same memory.

        Several, where one column cannot hold all elements; padding of edge blocks is included.

        Raises
        ------
        DeviceError
            The tensor is not on a GPU.
        """
        if self.backend.name != "cuda":
            raise DeviceError(
                f"{self.schema.name} was computed by device {self.backend.name!r}; cuDF frames "
                "need device='cuda'; arrow() works everywhere"
            )
        from gpudb.backend.cuda.frames import block_frames

        return block_frames(self.batch.keys, self.batch.data)

    def parquet(self, path: str | PathLike[str]) -> None:
        """Write the block table as a Parquet file: on a GPU by cuDF, from there.

        ``create_tensor(name, path)`` of any database reads it back.
        """
        if not self.backend.computes:
            raise DeviceError(
                f"{self.schema.name}: device {self.backend.name} computes shapes, no numbers; "
                "connect with another device"
            )
        schema = replace(self.schema, dtype=self.batch.data.dtype.name)
        parts = batch_parts(self.batch, schema)
        write_blocks(path, schema, len(self.batch.keys), parts, self.backend)


def _empty(table: pa.Table) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], table.schema)
