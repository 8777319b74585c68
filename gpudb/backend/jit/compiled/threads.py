"""Numbers that threads hand each other."""

from __future__ import annotations

from llvmlite import ir
from numba import types

from gpudb.backend.jit.compiled.llvm import INT, LONG, llvm_call
from gpudb.backend.jit.compiled.vectors import operation, pointer
from gpudb.backend.jit.target import TARGET


@operation(types.int64, pointer)
def acquire(builder, place):  # type: ignore[no-untyped-def]
    """Read a number; what was written before it was released is there."""
    return builder.load_atomic(builder.inttoptr(place, LONG.as_pointer()), "acquire", 8)


@operation(types.void, pointer, types.int64)
def release(builder, place, number):  # type: ignore[no-untyped-def]
    """Write a number: after everything before it, and before everything after it."""
    builder.store_atomic(number, builder.inttoptr(place, LONG.as_pointer()), "seq_cst", 8)
    builder.fence("seq_cst")


@operation(types.void, pointer)
def count_one(builder, place):  # type: ignore[no-untyped-def]
    """Add 1 to a number that several threads add to."""
    place = builder.inttoptr(place, LONG.as_pointer())
    builder.atomic_rmw("add", place, LONG(1), "seq_cst")


@operation(types.boolean, pointer, types.int64, types.int64)
def exchange(builder, place, expected, number):  # type: ignore[no-untyped-def]
    """Write a number if the expected one is there; whether it was."""
    place = builder.inttoptr(place, LONG.as_pointer())
    return builder.extract_value(builder.cmpxchg(place, expected, number, "seq_cst", "seq_cst"), 1)


@operation(types.void)
def pause(builder):  # type: ignore[no-untyped-def]
    """Tell the processor that this thread waits for another."""
    if TARGET.x86:
        builder.asm(ir.FunctionType(ir.VoidType(), []), "pause", "", [], True)


@operation(types.void)
def yield_processor(builder):  # type: ignore[no-untyped-def]
    """Let another thread of this machine go first, if one waits for a processor."""
    llvm_call(builder, "sched_yield", INT)
