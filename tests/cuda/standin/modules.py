"""The modules of rmm and pylibcudf, under the names they are imported by."""

from __future__ import annotations

from types import ModuleType

from tests.cuda.standin import rmm
from tests.cuda.standin.checked import Module
from tests.cuda.standin.plc import column, functions, parquet, types


def rmm_modules() -> dict[str, ModuleType]:
    """``rmm`` and what is in it."""
    mr = Module("rmm.mr", rmm.MR)
    cupy = Module("rmm.allocators.cupy", {"rmm_cupy_allocator": rmm.rmm_cupy_allocator})
    allocators = Module("rmm.allocators", {"cupy": cupy})
    top = {"mr": mr, "allocators": allocators, "DeviceBuffer": rmm.DeviceBuffer}
    return _by_name(Module("rmm", top), mr, allocators, cupy)


def pylibcudf_modules() -> dict[str, ModuleType]:
    """``pylibcudf`` and what is in it."""
    enums = (types.TypeId, types.NullEquality, types.NullOrder, types.Order)
    type_names = {t.__name__: t for t in (*enums, types.DataType, types.size_of)}
    made = [
        Module("pylibcudf.types", type_names),
        Module("pylibcudf.join", {"inner_join": functions.inner_join}),
        Module("pylibcudf.sorting", {"stable_sorted_order": functions.stable_sorted_order}),
        Module("pylibcudf.concatenate", {"concatenate": functions.concatenate}),
        Module(
            "pylibcudf.copying",
            {"gather": functions.gather, "OutOfBoundsPolicy": types.OutOfBoundsPolicy},
        ),
    ]
    io_types = Module(
        "pylibcudf.io.types",
        {
            c.__name__: c
            for c in (
                *(parquet.SourceInfo, parquet.SinkInfo, parquet.TableInputMetadata),
                *(parquet.ColumnInMetadata, parquet.TableWithMetadata, parquet.DictionaryPolicy),
            )
        },
    )
    io_parquet = Module(
        "pylibcudf.io.parquet",
        {
            c.__name__: c
            for c in (
                *(parquet.ParquetReaderOptions, parquet.ParquetReaderOptionsBuilder),
                *(parquet.ParquetWriterOptions, parquet.ParquetWriterOptionsBuilder),
                *(parquet.ChunkedParquetWriter, parquet.ChunkedParquetWriterOptions),
                parquet.ChunkedParquetWriterOptionsBuilder,
                *(parquet.read_parquet, parquet.write_parquet),
            )
        },
    )
    io = Module("pylibcudf.io", {"types": io_types, "parquet": io_parquet})
    classes = (column.Column, column.Table, column.gpumemoryview, types.DataType, types.TypeId)
    top = {
        **{c.__name__: c for c in classes},
        **{module.__name__.rpartition(".")[2]: module for module in (*made, io)},
    }
    return _by_name(Module("pylibcudf", top), *made, io, io_types, io_parquet)


def _by_name(*modules: ModuleType) -> dict[str, ModuleType]:
    return {module.__name__: module for module in modules}
