"""Which backend a device's name opens, and what is said where it cannot be."""

from __future__ import annotations

import pytest

from gpudb.backend import DEVICES, PRECISIONS, fallback, obstacle, open_backend
from gpudb.errors import DeviceError


@pytest.mark.parametrize(
    ("device", "name"),
    [("auto", "jit"), ("jit", "jit"), ("numpy", "numpy"), ("null", "null")],
)
def test_open_backend(device: str, name: str) -> None:
    assert open_backend(device).name == name


def test_cuda_says_what_is_missing() -> None:
    if not obstacle():
        pytest.skip("a GPU answers")
    with pytest.raises(DeviceError, match=r"'cuda' is not available: .*\. device='auto' uses"):
        open_backend("cuda")


def test_auto_is_numpy_where_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpudb.backend.jit_probe.obstacle", lambda: "no compiler")
    found = open_backend("auto")
    assert found.name == "numpy"
    assert fallback("auto", found).endswith("; no compiler")
    with pytest.raises(DeviceError, match=r"'jit' is not available: no compiler\. device='numpy'"):
        open_backend("jit")


@pytest.mark.parametrize("device", ["numpy", "null"])
def test_other_precisions_need_cuda(device: str) -> None:
    for precision in PRECISIONS[1:]:
        with pytest.raises(DeviceError, match="needs device='cuda'"):
            open_backend(device, precision=precision)
    with pytest.raises(DeviceError, match="no precision 'half'"):
        open_backend(device, precision="half")


@pytest.mark.parametrize("device", ["", "gpu", "CUDA", "numpy "])
def test_unknown_devices_are_named(device: str) -> None:
    with pytest.raises(DeviceError) as caught:
        open_backend(device)
    assert repr(device) in str(caught.value)
    assert all(known in str(caught.value) for known in DEVICES)
