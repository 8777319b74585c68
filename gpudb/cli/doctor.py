"""``gpudb doctor``: what is installed, what works, and what has never been tried."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from gpudb import __version__
from gpudb.cli.gpu_probe import driver_answer, library_answer
from gpudb.cli.options import Commands, add_command, add_database_options

LIBRARIES = ("numpy", "pyarrow", "duckdb", "sqlglot", "tokenizers", "rich")
UNVERIFIED = (
    "The CUDA backend has never run on a GPU. Verified without one: every kernel compiles for "
    "seven architectures and gives the right numbers when its PTX is emulated; the same source is "
    "free of races and of accesses out of bounds on the host; whole models run over stand-ins for "
    "CuPy, cuBLAS, RMM and pylibcudf. Not verified: speed, rounding in cuBLAS, what cuDF "
    "computes, the driver. On a CUDA host, python bench/on_gpu.py runs all of it and reports."
)


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "doctor",
        "report versions, processors and GPU, and check a database",
        "gpudb doctor -d my.gpudb",
        "With -d, every page is read and compared with its hash; damage gives exit code 1.",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="measure what this machine can do at most, for EXPLAIN ANALYZE; takes some seconds",
    )
    add_database_options(parser, default=None, note="also check this database folder")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    if args.measure:
        from gpudb.cli.measure import busy, measure
        from gpudb.machine import write_ceilings

        if note := busy():
            sys.stderr.write(f"{note}\n")
        write_ceilings(measure())
    rows = [*_software(), *_processors(), *_ceilings(), *_compiled(), *_gpu()]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        sys.stdout.write(f"{name:<{width}}  {text}\n")
    sys.stdout.write(f"\n{UNVERIFIED}\n")
    if args.db is None:
        return 0
    from gpudb.cli.check import check_database

    return check_database(args)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _software() -> Iterator[tuple[str, str]]:
    yield "Python", f"{platform.python_version()} ({platform.platform()})"
    yield "gpudb", __version__
    for name in LIBRARIES:
        yield name, _version(name)


def _processors() -> Iterator[tuple[str, str]]:
    import numpy as np  # noqa: F401  (its BLAS is visible once loaded)
    from threadpoolctl import threadpool_info

    from gpudb.config import available_threads

    blas = [i for i in threadpool_info() if i["user_api"] == "blas"]
    for info in blas:
        details = ", ".join(str(info[k]) for k in ("architecture", "threading_layer") if k in info)
        found = f"{info['internal_api']} {info['version']}, {info['num_threads']} threads"
        yield "BLAS", found + (f" ({details})" if details else "")
    if not blas:
        yield "BLAS", "none that threadpoolctl knows; matrix products may be slow"
    yield "processors", f"{available_threads()} usable"


def _ceilings() -> Iterator[tuple[str, str]]:
    from gpudb.machine import read_ceilings

    found, note = read_ceilings()
    if found is None:
        yield "ceilings", note
        return
    for name, rates in found.products.items():
        yield (
            "ceilings",
            f"{name} products: {rates.one:.1f} GFLOP/s on one thread, {rates.all:.1f} on all "
            f"{found.threads}",
        )
    for size, rates in found.moves.items():
        where = "memory" if size == max(found.moves) else f"cache, {size >> 10:,} KiB"
        yield "ceilings", f"{where}: {rates.one:.1f} GB/s on one thread, {rates.all:.1f} on all"
    yield "ceilings", f"measured {found.measured} UTC"


def _compiled() -> Iterator[tuple[str, str]]:
    from gpudb.backend.jit.probe import obstacle

    if reason := obstacle():
        yield "jit", f"not available: {reason}"
        return
    from gpudb.backend.jit.library import code_folder
    from gpudb.backend.jit.target import TARGET

    has = {"float32": True, "bfloat16": TARGET.bfloat16, "int8": TARGET.int8}
    able = ", ".join(name for name in has if has[name])
    folder = code_folder()
    kept = f"machine code is kept in {folder}"
    anew = "each process compiles anew: no folder of ours alone for its code; set XDG_CACHE_HOME"
    yield "jit", f"{TARGET.name}, {able}; {kept if folder else anew}"


def _gpu() -> Iterator[tuple[str, str]]:
    answers, text = driver_answer()
    yield "GPU", text
    advice = "install with pip install 'gpudb-tensor[cu13]' (CUDA 13) or 'gpudb-tensor[cu12]'"
    for name in ("cupy", "cudf"):
        works, state = library_answer(name)
        hint = f"; {advice}" if answers and not works else ""
        yield name, state + hint
