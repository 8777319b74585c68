"""Whether a GPU can be used here, and if not, why and what to do."""

from __future__ import annotations

from importlib.util import find_spec

from gpudb.errors import DeviceError

LIBRARIES = ("cupy", "rmm", "pylibcudf")
INSTALL = "pip install 'gpudb-tensor[cu13]' (CUDA 13) or 'gpudb-tensor[cu12]' (CUDA 12)"


def obstacle() -> str:
    """What stands between this process and a GPU; empty where nothing does."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed: {INSTALL}"
    import cupy as cp

    if cp.cuda.is_available():
        return ""
    try:
        driver = cp.cuda.runtime.driverGetVersion()
        runtime = cp.cuda.runtime.runtimeGetVersion()
    except (cp.cuda.runtime.CUDARuntimeError, RuntimeError, ImportError) as error:
        return f"the CUDA runtime does not start ({error}): {INSTALL}"
    if not driver:
        return "no NVIDIA driver answers: install one, or look at what nvidia-smi says"
    if driver < runtime // 1000 * 1000:
        return (
            f"the driver is for CUDA {_named(driver)}, CuPy for CUDA {_named(runtime)}: update the "
            "driver, or install the other extra (cu12 or cu13)"
        )
    return (
        f"a driver for CUDA {_named(driver)} is there, but no GPU: look at CUDA_VISIBLE_DEVICES "
        "and at what nvidia-smi says"
    )


def check() -> None:
    """Raise where no GPU can be used.

    Raises
    ------
    DeviceError
        With the reason and the next step.
    """
    if reason := obstacle():
        raise DeviceError(
            f"device 'cuda' is not available: {reason}. device='auto' uses the CPU instead"
        )


def _named(version: int) -> str:
    """13050 -> 13.5."""
    return f"{version // 1000}.{version % 1000 // 10}"
