"""Pieces of LLVM that operations on vectors are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils

from gpudb.backend.jit.target import TARGET

# LLVM ends the process at an instruction in text where nobody can read it.
binding.initialize_native_asmparser()

LANES = TARGET.lanes

FLOAT, INT, LONG, BYTE = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.IntType(8)
FLOATS, INTS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT, LANES)
BITS = ir.VectorType(ir.IntType(1), LANES)


def constant(x: float) -> Any:
    """A vector of equal numbers."""
    return ir.Constant(FLOATS, [float(np.float32(x))] * LANES)


def integer(n: int) -> Any:
    """A vector of equal int32."""
    return ir.Constant(INTS, [n] * LANES)


def repeated(builder: Any, x: Any) -> Any:
    """A vector of one scalar of any type."""
    kind = ir.VectorType(x.type, LANES)
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, x, ir.Constant(INT, 0))
    return builder.shuffle_vector(first, nothing, integer(0))


def llvm_call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an intrinsic of LLVM."""
    kind = ir.FunctionType(result, [x.type for x in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def float_call(builder: Any, name: str, *arguments: Any) -> Any:
    """Call one over vectors of float32: ``fma`` is ``llvm.fma.v16f32``."""
    return llvm_call(builder, f"llvm.{name}.v{LANES}f32", FLOATS, *arguments)


def instruction(builder: Any, result: Any, text: str, *arguments: Any) -> Any:
    """One of x86 between vectors, as an assembler writes it; ``$0`` is the result."""
    kind = ir.FunctionType(result, [x.type for x in arguments])
    return builder.asm(kind, text, ",".join(["=v", *["v"] * len(arguments)]), arguments, False)


def read(builder: Any, place: Any, kind: Any) -> Any:
    """Load a value of an LLVM type from any address."""
    value = builder.load(builder.inttoptr(place, kind.as_pointer()))
    value.align = 1
    return value


def write(builder: Any, place: Any, value: Any) -> None:
    """Store a value to any address."""
    stored = builder.store(value, builder.inttoptr(place, value.type.as_pointer()))
    stored.align = 1


def first(builder: Any, count: Any) -> Any:
    """Mask of the first ``count`` lanes."""
    lanes = ir.Constant(INTS, list(range(LANES)))
    count = builder.trunc(count, INT) if count.type != INT else count
    return builder.icmp_signed("<", lanes, repeated(builder, count))
