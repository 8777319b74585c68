"""The SIMD vocabulary: a vector of float32 as a type of numba, and what can be done with it.

A vector has ``LANES`` elements, as many as a register of the processor holds.
``load(at(x, (i, j)))`` reads the elements of ``x`` from there on along its last axis, which has to
be contiguous; nothing checks bounds. Vectors are added, subtracted, multiplied and divided by
``+ - * /``.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

from gpudb.backend.jit.compiled.llvm import (
    BYTE,
    FLOATS,
    INT,
    INTS,
    LANES,
    constant,
    first,
    float_call,
    instruction,
    integer,
    llvm_call,
    read,
    repeated,
    write,
)
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.target import TARGET


class VectorType(types.Type):  # type: ignore[misc]
    """A vector of float32, to numba."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, FLOATS)


vector = VectorType()
pointer = types.int64
"""An address in bytes, as :func:`at` gives it."""


def operation(result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make an operation of numba from a function that emits its instructions.

    Parameters
    ----------
    result, arguments
        numba's types; the function takes an LLVM builder and one LLVM value for each argument.
    """

    def decorate(emit: Callable[..., Any]) -> Any:
        def typed(typingctx: Any, *given: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                value = emit(builder, *values)
                return context.get_dummy_value() if result is types.void else value

            return result(*arguments), generate

        # numba asks for the names of the parameters.
        context = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        named = list(inspect.signature(emit).parameters.values())[1:]
        typed.__signature__ = inspect.Signature([context, *named])  # type: ignore[attr-defined]
        typed.__name__, typed.__doc__ = emit.__name__, emit.__doc__
        return intrinsic(typed)

    return decorate


@operation(vector, pointer)
def load(builder, place):  # type: ignore[no-untyped-def]
    """Elements from an address on."""
    return read(builder, place, FLOATS)


@operation(vector, pointer, types.int64)
def load_part(builder, place, count):  # type: ignore[no-untyped-def]
    """The first ``count`` elements from an address on, then zeros; no others are touched."""
    where = builder.inttoptr(place, FLOATS.as_pointer())
    arguments = [where, ir.Constant(INT, 1), first(builder, count), constant(0)]
    return llvm_call(builder, f"llvm.masked.load.v{LANES}f32.p0", FLOATS, *arguments)


@operation(types.void, pointer, vector)
def store(builder, place, x):  # type: ignore[no-untyped-def]
    """Write elements from an address on."""
    write(builder, place, x)


@operation(types.void, pointer, vector, types.int64)
def store_part(builder, place, x, count):  # type: ignore[no-untyped-def]
    """Write the first ``count`` elements; no others are touched."""
    where = builder.inttoptr(place, FLOATS.as_pointer())
    arguments = [x, where, ir.Constant(INT, 1), first(builder, count)]
    llvm_call(builder, f"llvm.masked.store.v{LANES}f32.p0", ir.VoidType(), *arguments)


@part
def load_up_to(place: int, count: int) -> Any:
    """A vector, or what is left of a row and then zeros."""
    return load(place) if count >= LANES else load_part(place, count)


@part
def store_up_to(place: int, x: Any, count: int) -> None:
    """Write a vector, or what is left of a row."""
    if count >= LANES:
        store(place, x)
    else:
        store_part(place, x, count)


@operation(types.void, pointer, vector)
def store_bfloat16(builder, place, x):  # type: ignore[no-untyped-def]
    """Write bits of bfloat16: rounded to nearest, to even in the middle; NaN stays NaN.

    Where there is an instruction for it, denormal numbers become zeros, as in the products that
    read them.
    """
    write(builder, place, _rounded(builder, x))


@operation(types.void, pointer, vector, vector)
def store_pairs(builder, place, x, y):  # type: ignore[no-untyped-def]
    """Write bits of bfloat16 as :func:`store_bfloat16` does, an element of each in turn."""
    low, high = (builder.zext(_rounded(builder, z), INTS) for z in (x, y))
    write(builder, place, builder.or_(low, builder.shl(high, integer(16))))


def _rounded(builder: Any, x: Any) -> Any:
    """Bits of bfloat16, 16 for each element."""
    halves = ir.VectorType(ir.IntType(16), LANES)
    if TARGET.bfloat16:
        return instruction(builder, halves, "vcvtneps2bf16 $1, $0", x)
    bits = builder.bitcast(x, INTS)
    odd = builder.and_(builder.lshr(bits, integer(16)), integer(1))
    rounded = builder.lshr(builder.add(bits, builder.add(odd, integer(0x7FFF))), integer(16))
    rounded = builder.select(builder.fcmp_unordered("uno", x, x), integer(0x7FFF), rounded)
    return builder.trunc(rounded, halves)


@operation(types.void, pointer, vector)
def store_bytes(builder, place, x):  # type: ignore[no-untyped-def]
    """Write numbers from 0 to 255, rounded to whole ones, as bytes."""
    whole = builder.fptosi(float_call(builder, "rint", x), INTS)
    write(builder, place, builder.trunc(whole, ir.VectorType(BYTE, LANES)))


@operation(vector, pointer, pointer, types.int32)
def load_less(builder, place, other, times):  # type: ignore[no-untyped-def]
    """Elements of one int32 array less a multiple of another's, as float32."""
    taken = builder.mul(read(builder, other, INTS), repeated(builder, times))
    return builder.sitofp(builder.sub(read(builder, place, INTS), taken), FLOATS)


@operation(vector, types.float32)
def splat(builder, x):  # type: ignore[no-untyped-def]
    """A vector of one number."""
    return repeated(builder, x)


@operation(vector, vector, vector)
def add(builder, x, y):  # type: ignore[no-untyped-def]
    """``x + y``."""
    return builder.fadd(x, y)


@operation(vector, vector, vector)
def subtract(builder, x, y):  # type: ignore[no-untyped-def]
    """``x - y``."""
    return builder.fsub(x, y)


@operation(vector, vector, vector)
def multiply(builder, x, y):  # type: ignore[no-untyped-def]
    """``x * y``."""
    return builder.fmul(x, y)


@operation(vector, vector, vector)
def divide(builder, x, y):  # type: ignore[no-untyped-def]
    """``x / y``."""
    return builder.fdiv(x, y)


@operation(vector, vector, vector, vector)
def fma(builder, x, y, z):  # type: ignore[no-untyped-def]
    """``x * y + z``, rounded once."""
    return float_call(builder, "fma", x, y, z)


@operation(vector, vector, vector)
def larger(builder, x, y):  # type: ignore[no-untyped-def]
    """The larger of two; NaN where ``x`` is."""
    return builder.select(builder.fcmp_ordered("<", x, y), y, x)


@operation(vector, vector, vector)
def larger_or_nan(builder, x, y):  # type: ignore[no-untyped-def]
    """The larger of two; NaN where either is."""
    keeps = builder.or_(builder.fcmp_ordered(">", x, y), builder.fcmp_unordered("uno", x, x))
    return builder.select(keeps, x, y)


@operation(vector, vector, vector)
def smaller(builder, x, y):  # type: ignore[no-untyped-def]
    """The smaller of two; NaN where ``x`` is."""
    return builder.select(builder.fcmp_ordered(">", x, y), y, x)


@operation(vector, vector)
def absolute(builder, x):  # type: ignore[no-untyped-def]
    """``|x|``."""
    return float_call(builder, "fabs", x)


@operation(vector, vector, vector)
def with_sign(builder, x, sign):  # type: ignore[no-untyped-def]
    """``x`` with the sign of the other."""
    return float_call(builder, "copysign", x, sign)


def _operator(symbol: Callable[..., Any], named: Any) -> None:
    def between_vectors(x: Any, y: Any) -> Any:
        if isinstance(x, VectorType) and isinstance(y, VectorType):
            return lambda x, y: named(x, y)
        return None

    overload(symbol, strict=False)(between_vectors)  # strict: annotations have to agree


_operator(operator.add, add)
_operator(operator.sub, subtract)
_operator(operator.mul, multiply)
_operator(operator.truediv, divide)
