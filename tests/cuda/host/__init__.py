"""Runs the text of kernels on the host, compiled by g++, and reports what a GPU would not.

``cpp/`` is the runtime: CUDA's names (``host_cuda.h``), threads as fibers (``scheduler.cpp``,
``warps.cpp``), and the checks of every access (``memory.cpp``, ``races.cpp``), which come from the
instrumentation of ``-fsanitize`` without its libraries (``hooks.cpp``).

Found whatever the order of threads is: data races, accesses out of bounds, misaligned or of memory
that nobody has written, barriers and lanes that do not meet, whole numbers that overflow.

Not found: what weak memory ordering does between blocks, errors of approximate instructions, what
calls of ``memcpy`` touch, and an index that leaves one array and lands in another.
"""

from __future__ import annotations

from tests.cuda.host.engine import KernelFault, Memory, run

__all__ = ["KernelFault", "Memory", "run"]
