"""What the processor's multiply-add instructions can do at most, and its clock: both measured.

Chains of multiply-adds that touch no memory, as many as a product's tile has accumulators. Nothing
that multiplies can be faster. Divided by the clock, it is the operations of a cycle, which the
manufacturer's manuals state: 32 of float32 on two 256-bit units, 64 on two of 512 bits.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable

import numba
import numpy as np
from llvmlite import ir
from numba import types

from gpudb.backend.jit.compiled.llvm import LONG, read, repeated, write
from gpudb.backend.jit.compiled.tile import STEPS, Step
from gpudb.backend.jit.compiled.vectors import operation, pointer
from gpudb.backend.jit.packing import GROUPS
from gpudb.backend.jit.target import TARGET

CHAINS = TARGET.rows * TARGET.vectors
KINDS = {"float32": types.float32, "bfloat16": types.uint16, "int8": types.int8}
MULTIPLICATION = 3
"""Cycles from one 64-bit integer multiplication to the next that needs its result: on every x86
processor since 2008 (Agner Fog, "Instruction tables")."""
REPEATS = 100
"""Tries of less than a millisecond: some are not disturbed, whatever else runs."""


def peak_gflops(precision: str, rounds: int = 100_000) -> float:
    """GFLOP/s of one thread's multiply-adds between registers, the best of many short tries.

    Parameters
    ----------
    precision
        What is multiplied: ``float32``, ``bfloat16`` or ``int8``.
    rounds
        Multiply-adds in each chain.
    """
    run = _compiled(STEPS[KINDS[precision]])
    place = np.ones(16 * (1 + CHAINS), np.float32)
    flops = 2 * rounds * CHAINS * TARGET.lanes * GROUPS[precision]
    return flops / _least(lambda: run(rounds, place.ctypes.data)) / 1e9


def clock_ghz(rounds: int = 5_000) -> float | None:
    """The clock while one thread works; None on processors other than x86."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return None
    times = 100

    @operation(types.int64, types.int64)
    def chain(builder, count):
        kind = ir.FunctionType(LONG, [LONG])
        code = ir.InlineAsm(kind, "imulq $0, $0\n" * times, "=r,0", side_effect=True)
        (result,) = _loop(builder, count, [LONG(3)], lambda values: [builder.call(code, values)])
        return result

    run = numba.njit("int64(int64)", nogil=True)(lambda count: chain(count))
    return rounds * times * MULTIPLICATION / _least(lambda: run(rounds)) / 1e9


def _compiled(step: Step) -> Callable[[int, int], None]:
    @operation(types.void, types.int64, pointer)
    def chains(builder, count, place):
        left = repeated(builder, read(builder, place, step.element))
        right = read(builder, place, step.vector)
        # Chains that start alike would be one to the compiler.
        starts = [ir.Constant(step.vector, [chain] * TARGET.lanes) for chain in range(CHAINS)]
        sums = _loop(
            builder,
            count,
            starts,
            lambda values: [step.multiply_add(builder, left, right, x) for x in values],
        )
        for chain, value in enumerate(sums):  # kept, or nothing would be worked out
            write(builder, builder.add(place, LONG(64 * (1 + chain))), value)

    return numba.njit("void(int64, int64)", nogil=True)(lambda count, place: chains(count, place))


def _loop(builder, count, start, advance):  # type: ignore[no-untyped-def]
    """Values after ``count`` rounds of ``advance``, at least one."""
    before = builder.block
    loop, end = (builder.append_basic_block(name) for name in ("round", "done"))
    builder.branch(loop)
    builder.position_at_end(loop)
    number = builder.phi(LONG)
    values = [builder.phi(value.type) for value in start]
    following = [builder.add(number, LONG(1)), *advance(values)]
    for value, first, again in zip([number, *values], [LONG(0), *start], following, strict=True):
        value.add_incoming(first, before)
        value.add_incoming(again, loop)
    builder.cbranch(builder.icmp_signed("<", following[0], count), loop, end)
    builder.position_at_end(end)
    return following[1:]


def _least(run: Callable[[], object]) -> float:
    """Seconds of the fastest of many tries, after a warm-up."""
    run()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
