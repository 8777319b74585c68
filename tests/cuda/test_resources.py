"""Registers, shared memory and occupancy of every kernel, against the committed table."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cuda import nvrtc
from tests.cuda.launches import chosen_launches, name_of
from tests.cuda.occupancy import MULTIPROCESSORS, resident_blocks
from tests.cuda.resources import committed, measured

MEANT = "where more is meant: python -m tests.cuda.resources, and read the difference"


@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_kernels_take_no_more_than_the_table_says(architecture: int) -> None:
    table = committed()
    for function, launches in chosen_launches().items():
        name = name_of(function)
        row = measured(function, launches, architecture)
        assert name in table, f"{name} is not in the table; {MEANT}"
        kept = table[name][f"sm_{architecture}"]
        assert row["spilled"] == 0, f"{name} spills {row['spilled']} bytes on sm_{architecture}"
        for what in ("registers", "shared", "stack"):
            assert row[what] <= kept[what], f"{name}, sm_{architecture}: {what}; {MEANT}"
        assert row["occupancy"][0] > 0, f"{name} cannot be launched on sm_{architecture}"


def test_the_table_has_no_kernels_of_the_past() -> None:
    assert set(committed()) == set(map(name_of, chosen_launches())), MEANT


def test_occupancy_is_that_of_nvidias_header(tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    program = tmp_path / "occupancy"
    (tmp_path / "occupancy.cpp").write_text(_program(), encoding="utf-8")
    command = [compiler, f"-I{nvrtc.headers()}", "occupancy.cpp", "-o", str(program)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    report = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    rows = [list(map(int, line.split())) for line in report.splitlines()]
    assert len(rows) == len(MULTIPROCESSORS) * 5 * 4 * 4
    for architecture, registers, shared, threads, blocks in rows:
        assert resident_blocks(architecture, registers, shared, threads) == blocks


def _program() -> str:
    """Prints architecture, registers, shared memory, threads and resident blocks."""
    calls = "\n".join(
        f"  table({architecture}, {limits.threads}, {limits.shared}, {limits.reserved});"
        for architecture, limits in MULTIPROCESSORS.items()
    )
    return f"""
#include <initializer_list>
#include <cstdio>
#include <cuda_occupancy.h>
void table(int architecture, int threads, int shared, int reserved) {{
  cudaOccDeviceProp device;
  device.computeMajor = architecture / 10;
  device.computeMinor = architecture % 10;
  device.maxThreadsPerBlock = 1024;
  device.maxThreadsPerMultiprocessor = threads;
  device.regsPerBlock = device.regsPerMultiprocessor = 65536;
  device.warpSize = 32;
  device.sharedMemPerBlock = 49152;
  device.sharedMemPerMultiprocessor = shared;
  device.numSms = 1;
  device.sharedMemPerBlockOptin = shared - reserved;
  device.reservedSharedMemPerBlock = reserved;
  cudaOccDeviceState state;
  for (int registers : {{16, 33, 64, 100, 128}})
    for (int bytes : {{0, 128, 12345, 49152}})
      for (int size : {{32, 96, 256, 512}}) {{
        cudaOccFuncAttributes function;
        function.maxThreadsPerBlock = 1024;
        function.numRegs = registers;
        function.sharedSizeBytes = bytes;
        function.partitionedGCConfig = PARTITIONED_GC_OFF;
        function.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
        function.maxDynamicSharedSizeBytes = shared;
        function.numBlockBarriers = 1;
        cudaOccResult result;
        cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &function, &state, size, 0);
        std::printf("%d %d %d %d %d\\n", architecture, registers, bytes, size,
                    result.activeBlocksPerMultiprocessor);
      }}
}}
int main() {{
{calls}
}}
"""
