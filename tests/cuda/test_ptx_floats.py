"""Floats in the PTX emulator: what NVRTC makes of one expression, against NumPy or exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.cuda import exact
from tests.cuda.ptx_numbers import SPECIAL, real, whole
from tests.cuda.snippets import evaluate

IN_CUDA = {"rn": "rn", "rz": "rz", "rm": "rd", "rp": "ru"}
"""Rounding in PTX -> in the names of CUDA's functions."""


@pytest.mark.parametrize(
    ("dtype", "mode"), [("f4", "rn"), ("f4", "rz"), ("f4", "rm"), ("f4", "rp"), ("f8", "rn")]
)
def test_fma_rounds_once(dtype: str, mode: str) -> None:
    x, y, z = real(dtype), real(dtype), real(dtype)
    bits = exact.PRECISION[dtype][0]
    near = np.array([1 + 2.0 ** (1 - bits)] * 6, dtype)  # products next to the middle of two floats
    small = np.array([2.0**-bits, -(2.0**-bits), 2.0 ** (-2 * bits), 0, 1, -1], dtype)
    x, y, z = (np.concatenate(p) for p in ((x, near), (y, near), (z, small)))
    z[:50] = -(x[:50] * y[:50])  # what is left is the rounding error of the product
    name = {"f4": "__fmaf", "f8": "__fma"}[dtype]
    got = evaluate(f"{name}_{IN_CUDA[mode]}(x, y, z)", [x, y, z], dtype)
    np.testing.assert_array_equal(got, exact.fma(x, y, z, dtype, mode, ftz=dtype == "f4"))


def test_fma_between_two_roundings() -> None:
    """The sum in float64 is the middle between two float32, the exact one is next to it."""
    x = y = np.array([2**12 + 1], "f4")  # x * y = 2^24 + 2^13 + 1, in the middle
    z = np.array([2.0**-60], "f4")
    want = exact.fma(x, y, z, "f4")
    np.testing.assert_array_equal(evaluate("__fmaf_rn(x, y, z)", [x, y, z], "f4"), want)
    assert want[0] != np.float32(np.float64(x[0]) * y[0] + z[0]), "rounded twice it is another one"


@pytest.mark.parametrize(("name", "operation"), [("add", "__add__"), ("mul", "__mul__")])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
def test_directed_roundings(name: str, operation: str, dtype: str, mode: str) -> None:
    x, y = real(dtype), real(dtype)
    function = f"__{'f' if dtype == 'f4' else 'd'}{name}_{IN_CUDA[mode]}"
    exactly = [
        getattr(Fraction(a), operation)(Fraction(b))
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    want = np.array([exact.rounded(v, dtype, mode) for v in exactly]).astype(dtype)
    np.testing.assert_array_equal(evaluate(f"{function}(x, y)", [x, y], dtype), want)


@pytest.mark.parametrize(
    ("expression", "reference", "ulps"),
    [
        ("x + y", lambda x, y: x + y, 0),
        ("x - y", lambda x, y: x - y, 0),
        ("x / y", lambda x, y: x / y, 0),
        ("fminf(x, y)", np.fmin, 0),
        ("fmaxf(x, y)", np.fmax, 0),
        ("fabsf(x)", lambda x, y: np.abs(x), 0),
        ("-x", lambda x, y: -x, 0),
        ("copysignf(x, y)", np.copysign, 0),
        ("sqrtf(fabsf(x))", lambda x, y: np.sqrt(np.abs(x)), 0),
        ("rsqrtf(fabsf(x))", lambda x, y: 1 / np.sqrt(np.abs(x).astype("f8")), 2),
        ("__frcp_rn(x)", lambda x, y: 1 / x, 0),
        ("rintf(x)", lambda x, y: np.rint(x), 0),
        ("floorf(x)", lambda x, y: np.floor(x), 0),
        ("ceilf(x)", lambda x, y: np.ceil(x), 0),
        ("truncf(x)", lambda x, y: np.trunc(x), 0),
        ("__saturatef(x)", lambda x, y: np.where(x > 0, np.minimum(x, np.float32(1)), 0), 0),
        ("expf(x)", lambda x, y: np.exp(x.astype("f8")), 2),
        ("logf(fabsf(x))", lambda x, y: np.log(np.abs(x).astype("f8")), 2),
        ("tanhf(x)", lambda x, y: np.tanh(x.astype("f8")), 2),
        ("erff(x)", lambda x, y: np.vectorize(math.erf)(x.astype("f8")), 3),
        ("x < y", lambda x, y: x < y, 0),
        ("x != y", lambda x, y: x != y, 0),
        ("!(x >= y)", lambda x, y: ~(x >= y), 0),
        ("isnan(x)", lambda x, y: np.isnan(x), 0),
        ("isinf(x)", lambda x, y: np.isinf(x), 0),
    ],
)
def test_float32(expression: str, reference: Any, ulps: int) -> None:
    ordinary = np.clip(real("f4"), -80, 80)
    ordinary[np.abs(ordinary) < 1e-3] = 0.5
    x = np.concatenate([ordinary, np.repeat(SPECIAL, len(SPECIAL))])
    y = np.concatenate([ordinary[::-1], np.tile(SPECIAL, len(SPECIAL))])
    with np.errstate(all="ignore"):
        want = np.asarray(reference(x, y)).astype("f4")
    got = evaluate(expression, [x, y], "f4")
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    with np.errstate(all="ignore"):
        close = np.abs(got - want) <= ulps * np.spacing(np.abs(want))
    assert (close | (got == want) | np.isnan(want)).all()


@pytest.mark.parametrize(
    ("expression", "name"), [("exp(x)", "exp"), ("log(fabs(x))", "log"), ("tanh(x)", "tanh")]
)
def test_float64_functions(expression: str, name: str) -> None:
    """Made of multiplications that round once: within a few units in the last place."""
    x = np.concatenate([np.clip(real("f8"), -700, 700), [0.0, -0.0, np.inf, -np.inf, np.nan]])
    with np.errstate(all="ignore"):
        want = getattr(np, name)(np.abs(x) if name == "log" else x)
    np.testing.assert_array_max_ulp(evaluate(expression, [x], "f8"), want, 3)


def test_denormals_are_flushed_where_ftz_says() -> None:
    x = np.array([1e-40, -1e-40, 2e-38, 1e-45], "f4")
    y = np.array([1.0, 1.0, -1.9e-38, 0.0], "f4")
    np.testing.assert_array_equal(evaluate("x * y", [x, y], "f4"), [0, -0.0, 0, 0])
    assert np.signbit(evaluate("x * y", [x, y], "f4")[1])
    np.testing.assert_array_equal(evaluate("x + y", [x, y], "f4"), [1, 1, 0, 0])
    np.testing.assert_array_equal(evaluate("x", [x], "f4"), x)  # a move changes nothing
    wide = np.array([5e-324, 1e-310])
    np.testing.assert_array_equal(evaluate("x + x", [wide], "f8"), wide + wide)


@pytest.mark.parametrize("architecture", [75, 80, 90])
def test_halves(architecture: int) -> None:
    codes = np.arange(65536, dtype="u2")
    halves = codes.view("f2")
    wide = evaluate("__half2float(x)", [halves], "f4", architecture)
    np.testing.assert_array_equal(wide, halves.astype("f4"))
    x = np.concatenate([real("f4", 2000), [65519, 65520, 1e-8, np.inf, np.nan, 2049, 2051, 6e-8]])
    x = x.astype("f4")
    with np.errstate(over="ignore"):
        want = x.astype("f2")
    np.testing.assert_array_equal(evaluate("__float2half_rn(x)", [x], "f2", architecture), want)
    a, b, c = (real("f2") for _ in range(3))
    with np.errstate(all="ignore"):
        for expression, want in (("x + y", a + b), ("x * y", a * b), ("x - y", a - b)):
            got = evaluate(expression, [a, b], "f2", architecture)
            np.testing.assert_array_equal(got, want)
    small = [v / np.float16(64) for v in (a, b, c)]
    got = evaluate("__hfma(x, y, z)", small, "f2", architecture)
    np.testing.assert_array_equal(got, exact.fma(*small, "f2"))


@pytest.mark.parametrize("architecture", [75, 80, 90])
def test_bfloat16(architecture: int) -> None:
    codes = np.arange(65536, dtype="u2")
    want = (codes.astype("u4") << 16).view("f4")
    got = evaluate("__bfloat162float(x)", [codes], "f4", architecture, x="__nv_bfloat16")
    np.testing.assert_array_equal(got, want)
    x = np.concatenate([real("f4", 2000), SPECIAL, np.array([1 + 2**-8, 1 + 3 * 2**-8], "f4")])
    got = evaluate("__float2bfloat16(x)", [x], "u2", architecture, out="__nv_bfloat16")
    back = (got.astype("u4") << 16).view("f4").astype("f8")
    good = np.isfinite(x)
    scale = 2.0 ** (np.frexp(x[good])[1] - 8)
    assert (np.abs(back[good] - x[good]) <= scale / 2).all()
    np.testing.assert_array_equal(np.isnan(back), np.isnan(x))
    ties = got[-2:]
    assert ties.tolist() == [0x3F80, 0x3F82]  # to even


@pytest.mark.parametrize("architecture", [80, 90])
def test_pairs_of_halves(architecture: int) -> None:
    a, b, c = (real("f2", 400) / np.float16(64) for _ in range(3))
    words = [v.view("u4") for v in (a, b, c)]
    types = dict.fromkeys(("x", "y", "z", "out"), "__half2")
    got = evaluate("__hfma2(x, y, z)", words, "u4", architecture, **types).view("f2")
    np.testing.assert_array_equal(got, exact.fma(a, b, c, "f2"))
    del types["z"]
    got = evaluate("__hadd2(x, y)", words[:2], "u4", architecture, **types).view("f2")
    np.testing.assert_array_equal(got, a + b)


@pytest.mark.parametrize("source", ["f4", "f8"])
@pytest.mark.parametrize("into", ["i4", "u4", "i8", "u8"])
def test_floats_to_whole_numbers(source: str, into: str) -> None:
    """Cut off, clamped to the range; NaN as the PTX manual says."""
    x = np.concatenate([real(source), [1e30, -1e30, np.inf, -np.inf, np.nan, 2.5, -2.5, -0.5]])
    got = evaluate(f"({'float' if source == 'f4' else 'double'})x", [x.astype(source)], "f8")
    np.testing.assert_array_equal(got, x.astype(source).astype("f8"))
    names = {"i4": "int", "u4": "uint", "i8": "ll", "u8": "ull"}
    prefix = "float" if source == "f4" else "double"
    got = evaluate(f"__{prefix}2{names[into]}_rz(x)", [x.astype(source)], into)
    limits = np.iinfo(into)
    wide = source == "f8" or into in ("i8", "u8")
    nan = (limits.min if into[0] == "i" else 1 << (8 * int(into[1]) - 1)) if wide else 0
    want = [nan if v != v else int(min(max(v, -1e25), 1e25)) for v in x.astype(source).tolist()]
    want = [min(max(v, limits.min), limits.max) for v in want]
    assert got.tolist() == want


@pytest.mark.parametrize("source", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_whole_numbers_converted(source: str) -> None:
    x = whole(source)
    for into in ("i1", "u2", "i4", "i8", "u8", "f4", "f8"):
        np.testing.assert_array_equal(evaluate("x", [x], into), x.astype(into), err_msg=into)
