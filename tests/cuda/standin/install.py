"""Put the stand-in where CuPy would be imported from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import cupy as installed
import numpy as np

from tests.cuda.standin import (
    array,
    cublas,
    engine,
    functions,
    kernels,
    memory,
    operators,
    order,
    pinned,
    pools,
    real,
    rmm,
    runtime,
    streams,
)
from tests.cuda.standin.checked import Module
from tests.cuda.standin.modules import pylibcudf_modules, rmm_modules

DTYPES = (
    *("bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "dtype", "newaxis", "inf", "nan", "pi"),
)


@contextmanager
def standin(
    runs: engine.Engine | None = None, device_nbytes: int = 1 << 30
) -> Iterator[ModuleType]:
    """While it lasts, ``import cupy``, rmm and pylibcudf give the stand-ins.

    Parameters
    ----------
    runs
        Who runs kernels; the PTX emulator unless given.
    device_nbytes
        Memory of the device.
    """
    modules = _modules()
    hidden = {name: module for name, module in sys.modules.items() if _is_replaced(name)}
    before = memory.device
    for name in hidden:
        del sys.modules[name]
    sys.modules.update(modules)
    memory.device = memory.DeviceMemory(device_nbytes)
    engine.use(runs or engine.Emulator())
    _reset()
    try:
        yield modules["cupy"]
        order.current.raise_faults()
    finally:
        _reset()
        for name in [name for name in sys.modules if _is_replaced(name)]:
            del sys.modules[name]
        sys.modules.update(hidden)
        memory.device = before


def _reset() -> None:
    order.current = order.Order()
    streams.forget_captures()
    pools.reset()
    rmm.reset()
    cublas.reset()


def _is_replaced(name: str) -> bool:
    """CuPy, and what imports it: the backend keeps a reference to the CuPy it saw first."""
    return any(name == top or name.startswith(f"{top}.") for top in REPLACED)


REPLACED = ("cupy", "rmm", "pylibcudf", "gpudb.backend.cuda")


def _modules() -> dict[str, ModuleType]:
    operators.attach()
    cuda = _cuda()
    cupy = Module(
        "cupy",
        {
            **{
                f.__name__: f
                for f in (
                    *(functions.empty, functions.zeros, functions.full, functions.arange),
                    *(functions.asarray, functions.array, functions.ascontiguousarray),
                    *(functions.asnumpy, functions.concatenate, functions.stack),
                    *(functions.take, functions.where, functions.cumsum),
                )
            },
            **functions.UFUNCS,
            **{name: getattr(np, name) for name in DTYPES},
            "ndarray": array.ndarray,
            "RawModule": kernels.RawModule,
            "get_default_memory_pool": pools.get_default_memory_pool,
            "is_available": lambda: True,
            "cuda": cuda,
        },
    )
    cupy.__version__ = installed.__version__
    return {
        "cupy": cupy,
        "cupy.cuda": cuda,
        **{f"cupy.cuda.{name}": getattr(cuda, name) for name in SUBMODULES},
        **rmm_modules(),
        **pylibcudf_modules(),
    }


SUBMODULES = ("cublas", "runtime", "device", "memory", "pinned_memory", "stream", "compiler")


def _cuda() -> Module:
    memory_names: dict[str, Any] = {
        "alloc": pools.alloc,
        "set_allocator": pools.set_allocator,
        "get_allocator": pools.get_allocator,
        "Memory": pools.Memory,
        "MemoryPointer": pools.MemoryPointer,
        "MemoryPool": pools.MemoryPool,
        "UnownedMemory": pools.UnownedMemory,
    }
    pinned_names = {
        "alloc_pinned_memory": pinned.alloc_pinned_memory,
        "PinnedMemoryPool": pinned.PinnedMemoryPool,
        "set_pinned_memory_allocator": pinned.set_pinned_memory_allocator,
    }
    stream_names = {
        "Stream": streams.Stream,
        "Event": streams.Event,
        "get_current_stream": streams.get_current_stream,
    }
    device_names = {"Device": runtime.Device, "get_cublas_handle": runtime.get_cublas_handle}
    out_of_memory = {"OutOfMemoryError": real.OutOfMemoryError}
    return Module(
        "cupy.cuda",
        {
            **memory_names,
            **pinned_names,
            **stream_names,
            **device_names,
            "using_allocator": pools.using_allocator,
            "Graph": streams.Graph,
            "is_available": lambda: True,
            "memory": Module("cupy.cuda.memory", {**memory_names, **out_of_memory}),
            "pinned_memory": Module("cupy.cuda.pinned_memory", pinned_names),
            "stream": Module("cupy.cuda.stream", stream_names),
            "device": Module("cupy.cuda.device", device_names),
            "compiler": Module("cupy.cuda.compiler", {"CompileException": real.CompileException}),
            "runtime": Module("cupy.cuda.runtime", {**runtime.CONSTANTS, **runtime.FUNCTIONS}),
            "cublas": Module("cupy.cuda.cublas", {**cublas.CONSTANTS, **cublas.FUNCTIONS}),
        },
    )
