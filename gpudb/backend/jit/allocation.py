"""Memory of the process: kept where it is needed again, let go where it is not.

Results of operators come and go, and glibc gives large blocks back to the system as soon as they
are free, and asks for them again: each page is then set to zero and mapped anew, dozens of times
for a batch. Measured on MiniLM: 15 % of the time in float32, a third in int8. So the process keeps
them; the most that it ever holds stays the same.

LLVM, which numba compiles with, is not needed once all kernels are there. Linking those that were
compiled before touches 50 MB of its code, more than half of what a small model takes.
"""

from __future__ import annotations

import ctypes
import mmap
import re
from functools import cache
from pathlib import Path

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Parameters of ``mallopt(3)``."""

KEPT = {MMAP_THRESHOLD: 32 << 20, TRIM_THRESHOLD: 256 << 20, TOP_PAD: 16 << 20}
"""Bytes: of blocks that come from the heap and not from the system, the largest that glibc allows;
of free memory on top of the heap that is not given back; of what is asked for beyond a need."""


def keep_freed_memory() -> bool:
    """Tell the allocator of this process; False where it is another than glibc's."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, nbytes) for name, nbytes in KEPT.items())


_COMPILER = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-xp .*/lib(?:llvmlite|LLVM)[^/]*$", re.MULTILINE)
"""Machine code of LLVM in ``/proc/self/maps``: addresses of its first byte and behind its last."""


@cache
def let_compiler_go() -> bool:
    """Give the memory that LLVM's code takes back to the system, once; False where it cannot be.

    Nobody has written to it, so what is called again is read again, from the file.
    """
    maps = Path("/proc/self/maps")
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    if madvise is None or not maps.exists():
        return False
    found = [(int(a, 16), int(b, 16)) for a, b in _COMPILER.findall(maps.read_text())]
    done = [
        madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), mmap.MADV_DONTNEED) == 0
        for start, stop in found
    ]
    return bool(done) and all(done)
