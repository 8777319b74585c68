"""Arithmetic and bits of whole numbers. What operations have in common with floats starts here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.cuda.ptx.decode import Decoder, Step, opcode
from tests.cuda.ptx.dtypes import DTYPES, FLOATS
from tests.cuda.ptx.errors import Fault
from tests.cuda.ptx.floats import float_step
from tests.cuda.ptx.program import Instruction

Function = Callable[..., Any]


def _divisor(b: Any) -> Any:
    zero = np.flatnonzero(np.atleast_1d(b == 0))
    if len(zero):
        raise Fault("division by zero", int(zero[0]))
    return b


def _divide(a: Any, b: Any) -> Any:
    """Rounded towards zero, as in C."""
    b = _divisor(b)
    return np.floor_divide(a - np.fmod(a, b), b)


def _remainder(a: Any, b: Any) -> Any:
    return np.fmod(a, _divisor(b))


TWO: dict[str, Function] = {
    "add": np.add,
    "sub": np.subtract,
    "min": np.minimum,
    "max": np.maximum,
    "div": _divide,
    "rem": _remainder,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
ONE: dict[str, Function] = {"neg": np.negative, "abs": np.abs, "not": np.invert}


@opcode("add", "sub", "min", "max", "div", "neg", "abs")
def _float_or_integer(decoder: Decoder, instruction: Instruction) -> Step:
    is_float = instruction.type in FLOATS
    return (float_step if is_float else _integer)(decoder, instruction)


@opcode("rem", "and", "or", "xor", "not")
def _integer(decoder: Decoder, instruction: Instruction) -> Step:
    kind = instruction.type
    if len(instruction.modifiers) != 1:
        raise KeyError(".".join(instruction.modifiers))
    function = ONE.get(instruction.opcode) or TWO[instruction.opcode]
    return decoder.pure(function, instruction, *[kind] * (len(instruction.operands) - 1))


@opcode("mul", "mad")
def _multiply(decoder: Decoder, instruction: Instruction) -> Step:
    kind = instruction.type
    if kind in FLOATS:
        return float_step(decoder, instruction)
    if len(instruction.modifiers) != 2:
        raise KeyError(".".join(instruction.modifiers))
    part = instruction.modifiers[0]
    halves: dict[str, Function] = {"lo": np.multiply, "hi": high_product}
    product = _wide(kind) if part == "wide" else halves[part]
    if instruction.opcode == "mul":
        return decoder.pure(product, instruction, kind, kind)
    third = wider(kind) if part == "wide" else kind
    return decoder.pure(lambda a, b, c: product(a, b) + c, instruction, kind, kind, third)


def wider(kind: str) -> str:
    """The type of twice the bits."""
    return f"{kind[0]}{2 * int(kind[1:])}"


def _wide(kind: str) -> Function:
    dtype = DTYPES[wider(kind)]
    return lambda a, b: np.multiply(a, b, dtype=dtype)


def high_product(a: Any, b: Any) -> Any:
    """The upper half of the bits of a product."""
    dtype = np.result_type(a)
    if dtype.itemsize < 8:
        wide = np.dtype(f"{dtype.kind}{2 * dtype.itemsize}")
        return (np.multiply(a, b, dtype=wide) >> wide.type(8 * dtype.itemsize)).astype(dtype)
    a, b = np.asarray(a), np.asarray(b)
    x, y = a.astype(np.uint64), b.astype(np.uint64)
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    middle = (x >> half) * (y & low) + (((x & low) * (y & low)) >> half)
    other = (x & low) * (y >> half) + (middle & low)
    high = (x >> half) * (y >> half) + (middle >> half) + (other >> half)
    if dtype.kind == "i":
        high = high - np.where(a < 0, y, np.uint64(0)) - np.where(b < 0, x, np.uint64(0))
    return high.astype(dtype)


@opcode("shl", "shr")
def _shift(decoder: Decoder, instruction: Instruction) -> Step:
    """NumPy, too, gives 0 (or the sign) where the amount passes the width."""
    kind = instruction.type
    dtype = DTYPES[kind]
    function = np.left_shift if instruction.opcode == "shl" else np.right_shift
    if dtype.itemsize == 4 and dtype.kind == "u":
        return decoder.pure(function, instruction, kind, "u32")

    def shifted(a: Any, amount: Any) -> Any:
        return function(a, np.minimum(amount, np.uint32(8 * dtype.itemsize)).astype(dtype))

    return decoder.pure(shifted, instruction, kind, "u32")


@opcode("shf")
def _funnel(decoder: Decoder, instruction: Instruction) -> Step:
    """32 bits out of two registers."""
    left, mode = instruction.modifiers[0] == "l", instruction.modifiers[1]

    def shifted(low: Any, high: Any, amount: Any) -> Any:
        n = amount & 31 if mode == "wrap" else np.minimum(amount, np.uint32(32))
        both = (np.asarray(high).astype(np.uint64) << np.uint64(32)) | low
        n = np.asarray(n).astype(np.uint64)
        out = both >> (np.uint64(32) - n) if left else both >> n
        return out.astype(np.uint32)

    return decoder.pure(shifted, instruction, "u32", "u32", "u32")


@opcode("lop3")
def _lop3(decoder: Decoder, instruction: Instruction) -> Step:
    """Any function of three bits: bit abc of the table."""
    table = int(instruction.operands[-1], 0)

    def looked_up(a: Any, b: Any, c: Any, _: Any) -> Any:
        out = (a ^ a) & b
        for row in (i for i in range(8) if table >> i & 1):
            x, y, z = (v if row & bit else ~v for v, bit in ((a, 4), (b, 2), (c, 1)))
            out = out | (x & y & z)
        return out

    return decoder.pure(looked_up, instruction, "u32", "u32", "u32", "u32")


@opcode("bfe")
def _extract(decoder: Decoder, instruction: Instruction) -> Step:
    kind = instruction.type
    dtype = DTYPES[kind]
    width = 8 * dtype.itemsize

    def extracted(a: Any, start: Any, length: Any) -> Any:
        start = np.minimum(start & 255, width).astype(np.int64)
        length = np.minimum(length & 255, width).astype(np.int64)
        end = np.minimum(start + length, width)  # what lies above is the sign, or zeros
        up = (width - end).astype(dtype)
        out = (a << up) >> (up + start.astype(dtype))
        return np.where(length == 0, dtype.type(0), out)

    return decoder.pure(extracted, instruction, kind, "u32", "u32")


@opcode("bfi")
def _insert(decoder: Decoder, instruction: Instruction) -> Step:
    kind = instruction.type
    dtype = DTYPES[kind]
    width = 8 * dtype.itemsize

    def inserted(a: Any, b: Any, start: Any, length: Any) -> Any:
        start = np.minimum(start & 255, width).astype(dtype)
        length = np.minimum(length & 255, width).astype(dtype)
        mask = (np.left_shift(dtype.type(1), length) - dtype.type(1)) << start
        return (b & ~mask) | ((a << start) & mask)

    return decoder.pure(inserted, instruction, kind, kind, "u32", "u32")


@opcode("prmt")
def _permute(decoder: Decoder, instruction: Instruction) -> Step:
    """Four bytes picked out of eight."""
    if instruction.modifiers != ("b32",):
        raise KeyError(".".join(instruction.modifiers))

    def permuted(a: Any, b: Any, selector: Any) -> Any:
        both = (np.asarray(b).astype(np.uint64) << np.uint64(32)) | a
        out: Any = np.uint32(0)
        for place in range(4):
            code = (selector >> np.uint32(4 * place)) & np.uint32(15)
            byte = (both >> (np.uint64(8) * (code & np.uint32(7)))).astype(np.uint32) & 255
            sign = np.where(byte & np.uint32(128), np.uint32(255), np.uint32(0))
            byte = np.where(code & np.uint32(8), sign, byte)
            out = out | (byte << np.uint32(8 * place))
        return np.asarray(out).astype(np.uint32)

    return decoder.pure(permuted, instruction, "u32", "u32", "u32")


@opcode("brev", "popc", "clz")
def _bits(decoder: Decoder, instruction: Instruction) -> Step:
    kind = instruction.type
    width = 8 * DTYPES[kind].itemsize

    def matrix(a: Any) -> Any:
        """(n, width) bits, the highest first."""
        raw = np.ascontiguousarray(a).view(np.uint8).reshape(-1, width // 8)
        return np.unpackbits(raw[:, ::-1], axis=1)

    def reversed_bits(a: Any) -> Any:
        return np.packbits(matrix(a)[:, ::-1], axis=1)[:, ::-1].copy().view(a.dtype).ravel()

    def leading(a: Any) -> Any:
        bits = matrix(a)
        return np.where(a == 0, width, bits.argmax(axis=1)).astype(np.uint32)

    functions: dict[str, Function] = {
        "brev": reversed_bits,
        "popc": lambda a: np.bitwise_count(a).astype(np.uint32),
        "clz": leading,
    }
    return decoder.pure(functions[instruction.opcode], instruction, kind)


@opcode("bfind")
def _find(decoder: Decoder, instruction: Instruction) -> Step:
    """Place of the highest bit that says something (in signed numbers: that is not the sign)."""
    kind = instruction.type
    width = 8 * DTYPES[kind].itemsize
    none = np.uint32(2**32 - 1)

    def found(a: Any) -> Any:
        a = np.where(a < 0, ~a, a) if a.dtype.kind == "i" else a
        places: Any = none
        for bit in range(width):
            places = np.where(a >> a.dtype.type(bit) & a.dtype.type(1), np.uint32(bit), places)
        if instruction.has("shiftamt"):
            places = np.where(places == none, none, np.uint32(width - 1) - places)
        return places

    return decoder.pure(found, instruction, kind)
