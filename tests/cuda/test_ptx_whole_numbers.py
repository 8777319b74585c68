"""Whole numbers in the PTX emulator: what NVRTC makes of one expression, against Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda.ptx_numbers import RNG, whole
from tests.cuda.snippets import evaluate, launch

WHOLE = [
    ("x + y", lambda x, y: x + y),
    ("x - y", lambda x, y: x - y),
    ("x * y", lambda x, y: x * y),
    ("min(x, y)", np.minimum),
    ("max(x, y)", np.maximum),
    ("x & y", lambda x, y: x & y),
    ("x | ~y", lambda x, y: x | ~y),
    ("x ^ y", lambda x, y: x ^ y),
    ("x << (y & 7)", lambda x, y: x << (y & 7)),
    ("x >> (y & 7)", lambda x, y: x >> (y & 7)),
    ("x < y ? x : y - 1", lambda x, y: np.where(x < y, x, y - x.dtype.type(1))),
]


@pytest.mark.parametrize("dtype", ["i4", "u4", "i8", "u8"])
@pytest.mark.parametrize(("expression", "reference"), WHOLE, ids=[e for e, _ in WHOLE])
def test_whole_numbers(dtype: str, expression: str, reference: Any) -> None:
    x, y = whole(dtype), whole(dtype)[::-1].copy()
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(evaluate(expression, [x, y], dtype), reference(x, y))


@pytest.mark.parametrize("dtype", ["i4", "u4", "i8", "u8"])
def test_division_rounds_towards_zero(dtype: str) -> None:
    x = whole(dtype)
    y = np.where(np.arange(len(x)) % 2, whole(dtype), whole(dtype) % 100).astype(dtype)
    y[y == 0] = 3
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    want = [abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) for a, b in pairs]
    assert evaluate("x / y", [x, y], dtype).tolist() == want
    rest = [a - w * b for (a, b), w in zip(pairs, want, strict=True)]
    assert evaluate("x % y", [x, y], dtype).tolist() == rest


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [
        ("__mulhi(x, y)", "i4"),
        ("__umulhi(x, y)", "u4"),
        ("__mul64hi(x, y)", "i8"),
        ("__umul64hi(x, y)", "u8"),
    ],
)
def test_high_half_of_products(expression: str, dtype: str) -> None:
    x, y = whole(dtype), whole(dtype)[::-1].copy()
    width = 8 * np.dtype(dtype).itemsize
    want = [int(a) * int(b) >> width for a, b in zip(x, y, strict=True)]
    assert evaluate(expression, [x, y], dtype).tolist() == want


@pytest.mark.parametrize(
    ("expression", "dtype", "reference"),
    [
        ("__popc(x)", "u4", lambda v: f"{v:032b}".count("1")),
        ("__popcll(x)", "u8", lambda v: f"{v:064b}".count("1")),
        ("__clz(x)", "u4", lambda v: 32 - v.bit_length()),
        ("__clzll(x)", "u8", lambda v: 64 - v.bit_length()),
        ("__brev(x)", "u4", lambda v: int(f"{v:032b}"[::-1], 2)),
        ("__brevll(x)", "u8", lambda v: int(f"{v:064b}"[::-1], 2)),
        ("__ffs(x)", "u4", lambda v: (v & -v).bit_length()),
        ("__byte_perm(x, ~x, 0x4071)", "u4", None),
        ("__funnelshift_l(x, ~x, 5)", "u4", lambda v: (~v << 5 | v >> 27) & 0xFFFFFFFF),
        ("__funnelshift_r(x, ~x, 5)", "u4", lambda v: (v >> 5 | ~v << 27) & 0xFFFFFFFF),
        ("(x >> 3) & 0xff", "u4", lambda v: v >> 3 & 0xFF),
    ],
)
def test_bits(expression: str, dtype: str, reference: Any) -> None:
    def permuted(v: int) -> int:
        both = (v | (~v & 0xFFFFFFFF) << 32).to_bytes(8, "little")
        return int.from_bytes(bytes(both[k] for k in (1, 7, 0, 4)), "little")

    x = whole(dtype)
    result = "u8" if expression == "__brevll(x)" else "u4"
    want = [(reference or permuted)(int(v)) for v in x]
    assert evaluate(expression, [x], result).tolist() == want


@pytest.mark.parametrize(("sign", "dtype"), [("s", "i4"), ("u", "u4")])
def test_bit_fields(sign: str, dtype: str) -> None:
    """Bfe and bfi, with starts and lengths past the end."""
    x = whole("u4")
    start, length = RNG.integers(0, 40, (2, len(x))).astype("u4")
    text = f"""extern "C" __global__ void f(const unsigned* x, const unsigned* s, const unsigned* n,
        unsigned* fields, unsigned* merged) {{
      const int i = blockIdx.x * blockDim.x + threadIdx.x;
      asm("bfe.{sign}32 %0, %1, %2, %3;" : "=r"(fields[i]) : "r"(x[i]), "r"(s[i]), "r"(n[i]));
      asm("bfi.b32 %0, %1, %2, %3, %4;" : "=r"(merged[i]) : "r"(x[i]), "r"(~x[i]), "r"(s[i]),
          "r"(n[i]));
    }}"""
    fields, merged = np.zeros_like(x), np.zeros_like(x)
    launch(text, (x, start, length, fields, merged), len(x), 1)

    def field_of(v: int, s: int, n: int) -> int:
        v = v - (v >> 31 << 32) if sign == "s" else v
        if n == 0:
            return 0
        top = min(s + n, 32) - 1
        bits = (v >> s) & ((1 << max(0, top - s + 1)) - 1) if s < 32 else 0
        negative = sign == "s" and v >> min(top, 31) & 1
        return (bits | -(1 << max(0, top - s + 1)) if negative else bits) & 0xFFFFFFFF

    triples = list(zip(x.tolist(), start.tolist(), length.tolist(), strict=True))
    assert fields.tolist() == [field_of(*t) for t in triples]
    masks = [((1 << min(n, 32)) - 1) << s & 0xFFFFFFFF for _, s, n in triples]
    want = [
        (~v & ~m | v << s & m) & 0xFFFFFFFF for (v, s, _), m in zip(triples, masks, strict=True)
    ]
    assert merged.tolist() == want
