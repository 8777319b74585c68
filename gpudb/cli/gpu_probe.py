"""Is there an NVIDIA GPU? Asked of its driver, without CuPy or cuDF."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from importlib.util import find_spec

DRIVER = "libcuda.so.1"
NAME_LENGTH = 128
TIMEOUT = 60


def driver_answer() -> tuple[bool, str]:
    """Whether a GPU answers, and its name and the driver's CUDA version, or the reason why not."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return False, f"no NVIDIA driver ({DRIVER} is not there)"
    status = int(driver.cuInit(0))
    if status:
        return False, f"the NVIDIA driver is there, but cuInit failed with error {status}"
    count, version = ctypes.c_int(), ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    driver.cuDriverGetVersion(ctypes.byref(version))
    if not count.value:
        return False, "the NVIDIA driver is there, but it sees no GPU (CUDA_VISIBLE_DEVICES?)"
    names = ", ".join(_device_name(driver, i) for i in range(count.value))
    major, minor = version.value // 1000, version.value % 1000 // 10
    return True, f"{names}; the driver supports CUDA {major}.{minor}"


def _device_name(driver: ctypes.CDLL, index: int) -> str:
    device, name = ctypes.c_int(), ctypes.create_string_buffer(NAME_LENGTH)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, NAME_LENGTH, device)
    return name.value.decode("utf-8", "replace")


def library_answer(name: str) -> tuple[bool, str]:
    """Whether ``import name`` works, and its version, or the reason why not.

    The import happens in a process of its own: a GPU library that does not fit the driver can end
    the whole process.
    """
    if find_spec(name) is None:
        return False, "not installed"
    code = f"import {name}; print({name}.__version__)"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return False, f"installed, but importing it took more than {TIMEOUT} s"
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        return False, f"installed, but cannot be imported: {reason}"
    return True, done.stdout.strip()
