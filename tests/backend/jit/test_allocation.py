"""Freed memory stays with the process: a second batch maps no pages anew."""

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
