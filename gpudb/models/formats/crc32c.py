"""CRC-32C (Castagnoli), as TensorFlow keeps it beside its data; all lanes of a buffer at once.

A remainder is linear in the bits of its message. The buffer is cut into equal lanes, whose
remainders are worked out together, one byte of each lane at a time, and then joined.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from gpudb.types import HostArray

POLYNOMIAL = 0x82F63B78  # reflected
LANE_NBYTES = 4096


def crc32c(content: HostArray) -> int:
    """The checksum of the bytes ``content``, ``(n,)`` uint8."""
    lanes = len(content) // LANE_NBYTES
    whole = content[: lanes * LANE_NBYTES].reshape(lanes, LANE_NBYTES)
    crc = 0xFFFFFFFF
    for remainder in _remainders(whole):
        crc = _advance(crc) ^ int(remainder)
    for byte in content[lanes * LANE_NBYTES :].tolist():
        crc = int(_TABLE[(crc ^ byte) & 0xFF]) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """The form in which TensorFlow and LevelDB store a checksum beside the data it is of."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _remainders(lanes: HostArray) -> HostArray:
    crc = np.zeros(len(lanes), np.uint32)
    for column in lanes.T:
        crc = _TABLE[(crc ^ column) & 0xFF] ^ (crc >> 8)
    return crc


def _advance(crc: int) -> int:
    """The remainder after :data:`LANE_NBYTES` bytes of zero."""
    result = 0
    for bit, advanced in enumerate(_advanced_bits()):
        if crc >> bit & 1:
            result ^= advanced
    return result


def _table() -> HostArray:
    crc: HostArray = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = (crc >> 1) ^ np.where(crc & 1, np.uint32(POLYNOMIAL), np.uint32(0))
    return crc


_TABLE = _table()


@cache
def _advanced_bits() -> list[int]:
    """What becomes of each bit of a remainder after a lane of zeros."""
    crc: HostArray = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(LANE_NBYTES):
        crc = _TABLE[crc & 0xFF] ^ (crc >> 8)
    return [int(remainder) for remainder in crc]
