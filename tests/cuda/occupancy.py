"""How many warps of a kernel a multiprocessor can hold, by NVIDIA's formula.

Limits: CUDA C++ Programming Guide, "Compute Capabilities", table of technical specifications.
Formula: ``cuda_occupancy.h`` of the CUDA toolkit; ``test_resources.py`` compiles it and compares.
"""

from __future__ import annotations

from dataclasses import dataclass

WARP = 32
REGISTERS = 65536
"""Of a multiprocessor, since 7.0; a warp gets them 256 at a time, in four quarters."""


@dataclass(frozen=True, slots=True)
class Multiprocessor:
    """What one of them holds."""

    threads: int
    blocks: int
    shared: int
    """Bytes."""
    reserved: int
    """Bytes of shared memory that the system takes from every block."""
    shared_unit: int


MULTIPROCESSORS = {
    75: Multiprocessor(1024, 16, 64 << 10, 0, 256),
    80: Multiprocessor(2048, 32, 164 << 10, 1024, 128),
    86: Multiprocessor(1536, 16, 100 << 10, 1024, 128),
    89: Multiprocessor(1536, 24, 100 << 10, 1024, 128),
    90: Multiprocessor(2048, 32, 228 << 10, 1024, 128),
    100: Multiprocessor(2048, 32, 228 << 10, 1024, 128),
    120: Multiprocessor(1536, 24, 100 << 10, 1024, 128),
}


def resident_blocks(architecture: int, registers: int, shared: int, threads: int) -> int:
    """Blocks that a multiprocessor holds at the same time."""
    limits = MULTIPROCESSORS[architecture]
    warps = -(-threads // WARP)
    registers_of_warp = -(-registers * WARP // 256) * 256
    warps_in_quarter = REGISTERS // 4 // registers_of_warp
    by_registers = warps_in_quarter * 4 // warps
    by_warps = limits.threads // WARP // warps
    taken = -(-(shared + limits.reserved) // limits.shared_unit) * limits.shared_unit
    by_shared = limits.shared // taken if taken else limits.blocks
    return min(limits.blocks, by_warps, by_registers, by_shared)


def occupancy(architecture: int, registers: int, shared: int, threads: int) -> float:
    """Resident warps as a part of those that there is room for."""
    warps = resident_blocks(architecture, registers, shared, threads) * -(-threads // WARP)
    return warps * WARP / MULTIPROCESSORS[architecture].threads
