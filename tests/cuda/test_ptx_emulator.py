"""Instructions of the PTX emulator: what NVRTC makes of one expression, against NumPy."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.cuda import exact
from tests.cuda.ptx import PtxError, parse, run
from tests.cuda.snippets import evaluate, launch

RNG = np.random.default_rng(0)


def whole(dtype: str, count: int = 200) -> Any:
    """Numbers over the whole range, and its ends."""
    limits = np.iinfo(dtype)
    inner = RNG.integers(limits.min, limits.max, count, dtype, endpoint=True)
    return np.concatenate([inner, np.array([0, 1, limits.min, limits.max], dtype)])


def real(dtype: str, count: int = 200) -> Any:
    """Numbers of all sizes, both signs."""
    spread = {"f2": 3, "f4": 20, "f8": 60}[dtype]
    return (RNG.standard_normal(count) * 2.0 ** RNG.integers(-spread, spread, count)).astype(dtype)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 3.5, -3.5, 1e30], "f4")

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


def test_loads_and_stores_of_every_width() -> None:
    x = RNG.integers(0, 256, 1024, "u1")
    for word in ("uchar4", "ushort2", "uint2", "uint4", "float4", "double2", "longlong2", "char"):
        out = np.zeros_like(x)
        text = f"""extern "C" __global__ void f(const {word}* x, {word}* out, int n) {{
          const int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) out[i] = x[i]; }}"""
        sizes = {"char": 1, "uchar4": 4, "ushort2": 4, "uint2": 8}
        n = len(x) // sizes.get(word, 16)
        traffic = launch(text, (x, out, n), -(-n // 64), 64)
        np.testing.assert_array_equal(out, x, err_msg=word)
        assert traffic.arrays[0].read_nbytes == traffic.arrays[1].written_nbytes == 1024
        assert traffic.arrays[0].read_sectors == traffic.arrays[1].written_sectors == 32


def test_traffic_of_strided_reads() -> None:
    x, out = np.zeros(1024, "f4"), np.zeros(32, "f4")
    text = """extern "C" __global__ void f(const float* x, float* out) {
      out[threadIdx.x] = x[threadIdx.x * 32]; }"""
    traffic = launch(text, (x, out))
    assert (traffic.arrays[0].read_nbytes, traffic.arrays[0].read_sectors) == (128, 32)
    assert (traffic.arrays[1].written_nbytes, traffic.arrays[1].written_sectors) == (128, 4)


def test_views_are_passed_where_they_start() -> None:
    whole_array = np.arange(64, dtype="f4")
    out = np.zeros(32, "f4")
    text = """extern "C" __global__ void f(const float* x, float* out) {
      out[threadIdx.x] = x[2 * threadIdx.x]; }"""
    launch(text, (whole_array[1::2], out))
    np.testing.assert_array_equal(out, whole_array[1::2])


def test_structs_local_arrays_constants_and_switches() -> None:
    text = """
    struct Extents { int n; double by; };
    __constant__ float table[4] = {1.5f, 2.5f, 3.5f, 4.5f};
    extern "C" __global__ void f(Extents e, const int* x, double* out) {
      const int i = threadIdx.x;
      float mine[8];
      for (int k = 0; k < 8; ++k) mine[k] = k * i;
      double v = mine[x[i] & 7] + table[x[i] & 3];
      switch (x[i] % 6) {
        case 0: v *= 2; break;
        case 1: v = sqrt(v); break;
        case 2: v = 1 / v; break;
        case 3: v -= i; break;
        case 4: v = floor(v); break;
        default: v = -v;
      }
      out[i] = i < e.n ? v * e.by : 0;
    }"""
    x = RNG.integers(0, 100, 64).astype("i4")
    out = np.zeros(64)
    extents = np.array([(50, 3.0)], np.dtype([("n", "i4"), ("by", "f8")], align=True)).tobytes()
    launch(text, (extents, x, out), threads=64)
    i = np.arange(64)
    v = (x & 7) * i + np.array([1.5, 2.5, 3.5, 4.5])[x & 3]
    case = x % 6
    want = np.select(
        [case == k for k in range(5)], [v * 2, np.sqrt(v), 1 / v, v - i, np.floor(v)], -v
    )
    np.testing.assert_array_equal(out, np.where(i < 50, want * 3, 0))


@pytest.mark.parametrize("operation", ["__shfl_xor_sync", "__shfl_down_sync", "__shfl_up_sync"])
@pytest.mark.parametrize("width", [8, 32])
def test_shuffles(operation: str, width: int) -> None:
    x = np.arange(64, dtype="i4")
    got = evaluate(f"{operation}(0xffffffffu, x, 3, {width})", [x], "i4")
    lane = x % width
    source = {"xor": lane ^ 3, "down": lane + 3, "up": lane - 3}[operation.split("_")[3]]
    source = np.where((source < 0) | (source >= width), lane, source)
    np.testing.assert_array_equal(got, x - lane + source)


def test_votes_and_matches() -> None:
    x = RNG.integers(0, 4, 64).astype("i4")
    rows = x.reshape(2, 32)
    ballot = [sum(1 << i for i, v in enumerate(row) if v == 1) for row in rows]
    got = evaluate("__ballot_sync(0xffffffffu, x == 1)", [x], "u4")
    np.testing.assert_array_equal(got, np.repeat(ballot, 32))
    for vote, want in (("__any_sync(~0u, x == 9)", 0), ("__all_sync(~0u, x < 4)", 1)):
        np.testing.assert_array_equal(evaluate(vote, [x], "i4"), np.full(64, want))
    got = evaluate("__match_any_sync(0xffffffffu, x)", [x], "u4")
    want = [sum(1 << i for i, v in enumerate(row) if v == own) for row in rows for own in row]
    assert got.tolist() == want
    got = evaluate("__reduce_add_sync(0xffffffffu, (unsigned)x)", [x], "u4")
    np.testing.assert_array_equal(got, np.repeat(rows.sum(1), 32))


def test_atomics_happen_one_after_the_other() -> None:
    text = """extern "C" __global__ void f(int* sums, unsigned* seen, float* total, int* most) {
      __shared__ int count;
      if (threadIdx.x == 0) count = 0;
      __syncthreads();
      const int mine = atomicAdd(&count, 1);
      atomicAdd(&sums[threadIdx.x % 3], 1);
      atomicMax(most, mine);
      atomicAdd(total, 0.5f);
      __syncthreads();
      seen[blockIdx.x * blockDim.x + mine] = atomicCAS(&seen[mine], 99u, 7u) + count;
    }"""
    sums, seen = np.zeros(3, "i4"), np.zeros(128, "u4")
    total, most = np.zeros(1, "f4"), np.zeros(1, "i4")
    launch(text, (sums, seen, total, most), 2, 64)
    assert sums.tolist() == [44, 42, 42]
    assert (total[0], most[0]) == (64.0, 63)
    assert (seen >= 64).all()


def test_divergent_loops_meet_again() -> None:
    x = RNG.integers(0, 40, 96).astype("i4")
    text = """extern "C" __global__ void f(const int* x, int* out) {
      const int i = blockIdx.x * blockDim.x + threadIdx.x;
      int sum = 0;
      for (int k = 0; k < x[i]; ++k) {
        if (k % 3 == 0) continue;
        for (int j = 0; j < k; ++j) if ((j ^ i) & 1) sum += j;
      }
      __syncwarp();
      out[i] = sum + __shfl_xor_sync(0xffffffffu, sum, 1);
    }"""
    out = np.zeros_like(x)
    launch(text, (x, out), 3, 32)
    sums = [
        sum(j for k in range(n) if k % 3 for j in range(k) if (j ^ i) & 1) for i, n in enumerate(x)
    ]
    assert out.tolist() == [s + sums[i ^ 1] for i, s in enumerate(sums)]


def test_an_unknown_instruction_is_named() -> None:
    text = """extern "C" __global__ void f(unsigned* x) {
      asm volatile("dp4a.u32.u32 %0, %1, %1, %1;" : "=r"(x[0]) : "r"(x[1])); }"""
    with pytest.raises(PtxError, match=r"dp4a\.u32\.u32"):
        launch(text, (np.zeros(2, "u4"),))


def test_a_call_that_is_not_inlined_is_named() -> None:
    text = """extern "C" __global__ void f(double* x) { x[threadIdx.x] = sin(x[threadIdx.x]); }"""
    with pytest.raises(PtxError, match=r"calls are not known: `call.*trig_reduction"):
        launch(text, (np.zeros(32),))


def test_arguments_are_counted_and_typed() -> None:
    text = 'extern "C" __global__ void f(float* x, int n) { if (n) x[0] = n; }'
    with pytest.raises(PtxError, match="takes 2 parameters, got 1"):
        launch(text, (np.zeros(1, "f4"),))
    with pytest.raises(PtxError, match="array for parameter 1"):
        launch(text, (np.zeros(1, "f4"), np.zeros(1, "f4")))


def test_ptx_that_is_no_ptx() -> None:
    with pytest.raises(PtxError, match="not closed"):
        parse(".visible .entry f(.param .u64 a) { ret;")
    assert parse(".version 9.0") == {}
    kernel = parse(".visible .entry f(.param .u64 a) { ret; }")["f"]
    assert run(kernel, (1,), (32,), (0,)).instructions == 32
