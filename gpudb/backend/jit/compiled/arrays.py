"""Arrays at addresses, and addresses of arrays; memory that compiled code takes for itself."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from gpudb.backend.jit.compiled.llvm import BYTE, LONG, llvm_call
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import operation, pointer
from gpudb.backend.jit.packing import ALIGNMENT


@intrinsic
def at(typingctx, x, index):  # type: ignore[no-untyped-def]
    """Address of the element ``x[index]``; the index is a tuple, one integer for each axis."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array, place = values
        struct = context.make_array(x)(context, builder, array)
        strides = cgutils.unpack_tuple(builder, struct.strides, x.ndim)
        where = builder.ptrtoint(struct.data, LONG)
        itemsize = ir.Constant(LONG, x.dtype.bitwidth // 8)
        for axis, kind in enumerate(index):
            i = context.cast(builder, builder.extract_value(place, axis), kind, types.int64)
            step = itemsize if axis == x.ndim - 1 else strides[axis]
            where = builder.add(where, builder.mul(i, step))
        return where

    if isinstance(x, types.Array) and isinstance(index, types.BaseTuple) and x.ndim == len(index):
        return pointer(x, index), generate
    return None


@intrinsic
def array_at(typingctx, place, kind, shape):  # type: ignore[no-untyped-def]
    """The contiguous array of a shape, a tuple, at an address; of a dtype or a type of numba."""
    named = isinstance(kind, types.TypeRef)
    array = types.Array(kind.instance_type if named else kind.dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        lengths = [
            context.cast(builder, builder.extract_value(values[2], axis), length, types.intp)
            for axis, length in enumerate(shape)
        ]
        steps = [ir.Constant(LONG, context.get_abi_sizeof(context.get_data_type(array.dtype)))]
        for length in reversed(lengths[1:]):
            steps.append(builder.mul(steps[-1], length))
        return _array(context, builder, array, values[0], lengths, steps[::-1])

    return array(types.int64, kind, shape), generate


@intrinsic
def rows_at(typingctx, place, step, rows, width):  # type: ignore[no-untyped-def]
    """The float32 matrix ``(rows, width)`` at an address; ``step`` is the bytes from row to row."""
    array = types.Array(types.float32, 2, "A")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place, step, rows, width = values
        return _array(context, builder, array, place, [rows, width], [step, LONG(4)])

    return array(*[types.int64] * 4), generate


def _array(
    context: Any, builder: Any, kind: types.Array, place: Any, shape: list[Any], steps: list[Any]
) -> Any:
    array = context.make_array(kind)(context, builder)
    data = builder.inttoptr(place, context.get_data_type(kind.dtype).as_pointer())
    itemsize = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    populate_array(array, data, shape, steps, itemsize, meminfo=None)
    return array._getvalue()


def on_stack(nbytes: int) -> Any:
    """An operation: the address of so many bytes, at a cache line, that its caller may use."""

    @operation(pointer)
    def memory(builder):  # type: ignore[no-untyped-def]
        place = cgutils.alloca_once(builder, ir.ArrayType(BYTE, nbytes))
        place.align = ALIGNMENT
        return builder.ptrtoint(place, LONG)

    return memory


@operation(pointer, types.int64)
def allocate(builder, nbytes):  # type: ignore[no-untyped-def]
    """Take memory from the system, not set; 0 where there is none left."""
    return builder.ptrtoint(llvm_call(builder, "malloc", BYTE.as_pointer(), nbytes), LONG)


@operation(types.void, pointer)
def free(builder, place):  # type: ignore[no-untyped-def]
    """Give back what :func:`allocate` gave."""
    llvm_call(builder, "free", ir.VoidType(), builder.inttoptr(place, BYTE.as_pointer()))


@part
def aligned(place: int) -> int:
    """The first cache line from an address on."""
    return (place + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
