"""The product everything is made of: a few rows times a panel of columns, in registers.

A panel holds ``COLUMNS`` neighbouring columns of the right factor, packed so that each step of the
inner loop reads what lies next: :mod:`gpudb.backend.jit.packing`. The accumulators of a tile fill
the registers of the processor (:class:`gpudb.backend.jit.target.Target`); a step broadcasts one
element of each row and multiplies it with the panel's vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gpudb.backend.jit.compiled.llvm import (
    FLOAT,
    FLOATS,
    INT,
    INTS,
    LONG,
    float_call,
    read,
    repeated,
    write,
)
from gpudb.backend.jit.target import TARGET

ROWS, VECTORS, COLUMNS = TARGET.rows, TARGET.vectors, TARGET.columns


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the inner loop does with one vector of one row."""

    element: Any
    """LLVM type of what is broadcast: an element, or a few that are multiplied at once."""
    vector: Any
    """LLVM type of the right factor's vectors and of the sums."""
    multiply_add: Callable[[Any, Any, Any, Any], Any]
    """Builder, left and right vector, accumulator -> accumulator."""


def _fma(builder: Any, left: Any, right: Any, sums: Any) -> Any:
    return float_call(builder, "fma", left, right, sums)


def _by_instruction(name: str) -> Callable[[Any, Any, Any, Any], Any]:
    """An instruction of x86 by name: LLVM's intrinsics for them change types between releases."""

    def emit(builder: Any, left: Any, right: Any, sums: Any) -> Any:
        kind = ir.FunctionType(sums.type, [sums.type, left.type, right.type])
        code = ir.InlineAsm(kind, f"{name} $3, $2, $0", "=v,0,v,v")
        return builder.call(code, [sums, left, right])

    return emit


STEPS: Mapping[types.Type, Step] = {
    types.float32: Step(FLOAT, FLOATS, _fma),
    types.uint16: Step(INT, FLOATS, _by_instruction("vdpbf16ps")),
    types.int8: Step(INT, INTS, _by_instruction("vpdpbusd")),
}
"""Element of a panel -> step: float32; bfloat16 by pairs; signed bytes, times unsigned ones of the
left factor, by fours."""


def _product(vectors: int) -> Any:
    """The operation for tiles of so many vectors in a row."""

    @intrinsic
    def multiply(typingctx, height, left, panel, steps, out, begin):  # type: ignore[no-untyped-def]
        step = STEPS.get(panel.dtype) if isinstance(panel, types.Array) else None
        if step is None:
            return None

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            rows, where, data, count, to, sums = values
            pairs = [builder.extract_value(pair, i) for pair in (where, to) for i in (0, 1)]
            struct = context.make_array(panel)(context, builder, data)
            b = builder.ptrtoint(struct.data, LONG)
            begun = begin != types.none
            function = _function(builder.module, panel.dtype, step, vectors, begun)
            builder.call(function, [rows, *pairs, b, count, *([sums] if begun else [])])
            return context.get_dummy_value()

        two = types.UniTuple(types.int64, 2)
        return types.void(types.int64, two, panel, types.int64, two, begin), generate

    return multiply


multiply_tile = _product(VECTORS)
"""``out[:height] = left[:height] @ panel + begin``.

Parameters
----------
height
    Rows, 1 to ``ROWS``.
left
    (address of the first row, bytes from row to row).
panel
    ``(steps, COLUMNS)`` of an element or a group of them.
steps
    Elements, or groups of them, in a row of the left factor; at least 1.
out
    (address of the first row, bytes from row to row): ``COLUMNS`` float32, for bytes int32.
begin
    Address of what the sums of every row begin with, ``COLUMNS`` of them; None for zeros.
"""

multiply_narrow_tile = _product(1)
"""The same for the first ``LANES`` columns of the panel only: the heads of a narrow model, and the
last keys of a sequence, are often no more."""


def _function(module: Any, dtype: types.Type, step: Step, vectors: int, begun: bool) -> Any:
    """A function of LLVM for all heights.

    It is called, not made part of its callers: the sums and factors need all registers, and what a
    caller holds in some of them would have sums put to memory and back in each step.
    """
    name = f"gpudb.tile.{dtype}.{vectors}{'.begun' if begun else ''}"
    kind = ir.FunctionType(ir.VoidType(), [LONG] * (8 if begun else 7))
    function = cgutils.get_or_insert_function(module, kind, name)
    if not function.is_declaration:
        return function
    function.linkage = "linkonce_odr"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    builder = ir.IRBuilder(function.append_basic_block("heights"))
    rows, a, a_step, c, c_step, b, count, *first = function.args
    done = builder.append_basic_block("done")
    switch = builder.switch(rows, done)
    for n in range(1, ROWS + 1):
        block = builder.append_basic_block(f"rows{n}")
        switch.add_case(LONG(n), block)
        builder.position_at_end(block)
        begin = first[0] if first else None
        _tile(builder, step, (n, vectors), (a, a_step), b, count, (c, c_step), begin)
        builder.branch(done)
    builder.position_at_end(done)
    builder.ret_void()
    return function


def _tile(
    builder: Any,
    step: Step,
    shape: tuple[int, int],
    left: tuple[Any, Any],
    panel: Any,
    count: Any,
    out: tuple[Any, Any],
    begin: Any,
) -> None:
    """The loop for one height and width, from where the builder stands."""
    rows, vectors = shape
    starts = _row_addresses(builder, *left, rows)
    first_sums = [_first_sum(builder, step, begin, v) for v in range(vectors)] * rows
    before = builder.block
    loop, end = (builder.append_basic_block(name) for name in ("step", "store"))
    builder.branch(loop)

    builder.position_at_end(loop)
    number = builder.phi(LONG)
    sums = [builder.phi(step.vector) for _ in range(rows * vectors)]
    here = builder.add(panel, builder.mul(number, LONG(4 * COLUMNS)))
    right = [
        read(builder, builder.add(here, LONG(4 * v * TARGET.lanes)), step.vector)
        for v in range(vectors)
    ]
    along = builder.mul(number, LONG(4))
    added: list[Any] = []
    for start in starts:
        broadcast = repeated(builder, read(builder, builder.add(start, along), step.element))
        for x in right:
            added.append(step.multiply_add(builder, broadcast, x, sums[len(added)]))
    following = builder.add(number, LONG(1))
    for value, first, again in zip(
        [number, *sums],
        [LONG(0), *first_sums],
        [following, *added],
        strict=True,
    ):
        value.add_incoming(first, before)
        value.add_incoming(again, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, end)

    builder.position_at_end(end)
    for r, start in enumerate(_row_addresses(builder, *out, rows)):
        for v in range(vectors):
            write(
                builder,
                builder.add(start, LONG(4 * v * TARGET.lanes)),
                added[r * vectors + v],
            )


def _first_sum(builder: Any, step: Step, begin: Any, v: int) -> Any:
    if begin is None:
        return ir.Constant(step.vector, None)
    return read(builder, builder.add(begin, LONG(4 * v * TARGET.lanes)), step.vector)


def _row_addresses(builder: Any, first: Any, row_step: Any, rows: int) -> list[Any]:
    addresses = [first]
    for _ in range(rows - 1):
        addresses.append(builder.add(addresses[-1], row_step))
    return addresses
