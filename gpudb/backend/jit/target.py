"""What the processor that code is made for can do, and the register tile that follows from it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from llvmlite import binding


@dataclass(frozen=True, slots=True)
class Processor:
    """As LLVM knows it."""

    triple: str
    name: str
    features: str
    """Instructions that it has and lacks: ``+avx2,-avx512f``."""


def host_processor() -> Processor:
    """That of this machine, unless ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` name another."""
    name = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = binding.get_host_cpu_features().flatten()
    return Processor(binding.get_process_triple(), name, features)


@dataclass(frozen=True, slots=True)
class Target:
    """What is made of a processor.

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
    bfloat16: bool = False
    """Multiplies pairs of bfloat16 into float32 (VDPBF16PS)."""
    int8: bool = False
    """Multiplies four bytes at once into int32 (VPDPBUSD)."""
    powers: bool = False
    """Splits off whole numbers and multiplies by powers of two (VREDUCEPS, VSCALEFPS)."""

    @property
    def columns(self) -> int:
        """Columns of a tile, and of a panel of packed weights."""
        return self.lanes * self.vectors


def target_of(processor: Processor) -> Target:
    """The widest vectors that a processor has."""
    features = {name[1:] for name in processor.features.split(",") if name.startswith("+")}
    if "avx512f" in features:
        bytewise = {"avx512vnni", "avx512bw"} <= features
        powers = "avx512dq" in features
        return Target("AVX-512", 16, 14, 2, True, "avx512bf16" in features, bytewise, powers)
    if {"avx2", "fma"} <= features:
        return Target("AVX2", 8, 6, 2, x86=True)
    x86 = processor.triple.startswith("x86")
    return Target("128-bit vectors", 4, 6, 4, x86)


PROCESSOR = host_processor()
TARGET = target_of(PROCESSOR)


def target_machine(processor: Processor) -> binding.TargetMachine:
    """LLVM's compiler for a processor; the one that numba has, so that the code is the same."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_triple(processor.triple).create_target_machine(
        cpu=processor.name,
        features=processor.features,
        opt=3,
        reloc="static",
        codemodel="jitdefault",
        jit=True,
    )
