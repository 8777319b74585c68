"""Freed memory stays with the process, and what LLVM took goes."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# In a process of its own: what the allocator keeps depends on everything before.
FAULTS = """
import resource
import numpy as np
if {told}:
    from gpudb.backend.jit.allocation import keep_freed_memory
    assert keep_freed_memory()

def batch():
    for _ in range(20):
        kept = [np.ones(1 << 18, np.float32) for _ in range(4)]
        del kept

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

batch()
before = faults()
batch()
print(faults() - before)
"""


def _faults(told: bool) -> int:
    code = FAULTS.format(told=told)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_a_second_batch_maps_nothing_anew() -> None:
    assert _faults(True) < 256 < _faults(False)


COMPILER = """
import re
from pathlib import Path
import gpudb.backend.jit.kernels.table

def taken():
    files = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.M)
    code = [f for f in files if " r-xp " in f and re.search("lib(llvmlite|LLVM)", f)]
    return sum(int(n) for f in code for n in re.findall(r"^Rss: +([0-9]+) kB", f, re.M))

before = taken()
from gpudb.backend.jit.backend import JitBackend
JitBackend()
print(before, taken())
import numba
print(numba.njit(lambda x: x + 1)(3))
"""


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
def test_the_compiler_takes_no_memory_until_it_is_needed_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILER], capture_output=True, text=True, check=True
    )
    before, after, compiled = map(int, done.stdout.split())
    assert after < before / 10 > 100
    assert compiled == 4
