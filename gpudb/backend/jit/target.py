"""What the processor that numba compiles for can do, and the register tile that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from numba.core.registry import cpu_target


@dataclass(frozen=True, slots=True)
class Target:
    """One processor.

    The tile of a product is ``rows`` × ``vectors`` accumulators; with a vector of each column group
    and one broadcast element they fill the registers: 14 × 2 + 2 + 1 of 32 with AVX-512, 6 × 2 + 2
    + 1 of 16 with AVX2, 6 × 4 + 4 + 1 of 32 with NEON.
    """

    name: str
    lanes: int
    """float32 in a vector."""
    rows: int
    vectors: int
    x86: bool
    bfloat16: bool
    """Multiplies pairs of bfloat16 into float32 (VDPBF16PS)."""
    int8: bool
    """Multiplies four bytes at once into int32 (VPDPBUSD)."""

    @property
    def columns(self) -> int:
        """Columns of a tile, and of a panel of packed weights."""
        return self.lanes * self.vectors


def host_target() -> Target:
    """The target of numba's CPU compiler, with what ``NUMBA_CPU_FEATURES`` takes away."""
    triple, _, listed = cpu_target.target_context.codegen().magic_tuple()
    features = {name[1:] for name in listed.split(",") if name.startswith("+")}
    if "avx512f" in features:
        bytewise = {"avx512vnni", "avx512bw"} <= features
        return Target("AVX-512", 16, 14, 2, True, "avx512bf16" in features, bytewise)
    if {"avx2", "fma"} <= features:
        return Target("AVX2", 8, 6, 2, x86=True, bfloat16=False, int8=False)
    x86 = triple.startswith("x86")
    return Target("128-bit vectors", 4, 6, 4, x86, bfloat16=False, int8=False)


TARGET = host_target()
