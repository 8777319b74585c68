"""Runs a case on a device and compares with the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from gpudb.kernels.launch import Device
from tests.cuda.cases.case import Case, Place

LARGEST = {"float64": np.inf, "float32": 3.4e38, "float16": 65504.0, "bfloat16": 3.38e38}
"""Results beyond may be infinite where the dtype is stored, finite in float64."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""Smallest float32 that is not denormal."""


class HostFedDevice(Device, Protocol):
    """A device that takes arrays from the host."""

    def asarray(self, x: Any) -> Any:
        """A copy on the device, which has ``get``."""


def check_case(case: Case, dtype: str, device: HostFedDevice) -> None:
    """Launch the kernel and compare shape, dtype, NaN, infinities and values."""
    given = stored(case, dtype)
    want = _reference(case, given, dtype)
    args = on_device(case, dtype, device)
    assert case.kernel.launch is not None, f"{case.kernel.name} has no launch code"
    got = case.kernel.launch(device, *args).get()
    assert got.shape == want.shape
    assert got.dtype == _dtype(case, given)
    if case.overwrites:
        first = args[0][0] if isinstance(args[0], list) else args[0]
        assert got.tobytes() == first.get().tobytes(), "the result is not in the first array"
    compare(case, dtype, got, want)


def stored(case: Case, dtype: str) -> list[Any]:
    """The arguments as they are stored in a dtype."""
    return _each(case.args, lambda place, x: _stored(case, place, x, dtype))


def on_device(case: Case, dtype: str, device: HostFedDevice) -> list[Any]:
    """The arguments on the device, but for those that stay on the host."""

    def put(x: Any, place: int, inner: int | None = None) -> Any:
        if isinstance(x, list):
            return [put(one, place, number) for number, one in enumerate(x)]
        if not isinstance(x, np.ndarray) or place in case.host:
            return x
        at: set[Place] = {place} if inner is None else {place, (place, inner)}
        return _put(device, x, bool(at & case.shifted), bool(at & case.spread))

    return [put(x, place) for place, x in enumerate(stored(case, dtype))]


def _put(device: HostFedDevice, x: Any, shifted: bool, spread: bool) -> Any:
    """On the device, one element behind a boundary, or with rows apart; views keep their rows."""
    apart = x.strides[0] // x.itemsize if x.ndim == 2 and x.strides[1] == x.itemsize else 0
    if spread:
        apart = x.shape[1] + 16 // x.itemsize
    if x.ndim == 2 and apart > x.shape[1]:
        rows = np.ones((len(x), apart), x.dtype)
        rows[:, : x.shape[1]] = x
    else:
        rows = np.array(x, order="K")
    if not shifted:
        on_device = device.asarray(rows)
    else:
        flat = np.concatenate([np.ones(1, x.dtype), rows.reshape(-1)])
        on_device = device.asarray(flat)[1:].reshape(rows.shape)
    return on_device[:, : x.shape[1]] if rows.shape != x.shape else on_device


def compare(case: Case, dtype: str, got: Any, want: Any) -> None:
    """A result of the device with that of the reference in float64."""
    values = _in_float64(got, dtype)
    if case.exact or values.dtype.kind != "f":
        if want.dtype.kind == "f":
            want = _in_float64(_rounded(want, dtype), dtype)
        np.testing.assert_array_equal(values, want)
        return
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.isnan(values), np.isnan(want), err_msg="NaN")
        finite = np.isfinite(want) & (np.abs(want) <= LARGEST[dtype])
        infinite = np.isinf(want)
        np.testing.assert_array_equal(values[infinite], want[infinite], err_msg="infinities")
        error = np.abs(values - want)[finite] / (case.scale + np.abs(want[finite]))
    assert np.max(error, initial=0.0) <= case.tolerances[dtype], f"error {np.max(error):.3g}"


def _reference(case: Case, given: Any, dtype: str) -> Any:
    """Of the stored numbers, in float64; its arguments are copies, which it may overwrite."""
    wide = _each(given, lambda place, x: np.array(_widened(case, place, x, dtype)))
    with np.errstate(all="ignore"):
        return np.asarray(case.kernel.reference(*wide))


def _dtype(case: Case, given: Any) -> Any:
    """Of the result, as the kernel declares."""
    if case.kernel.dtype is not None:
        return np.dtype(case.kernel.dtype(*given))
    first = given[0]
    return (first[0] if isinstance(first, list) else first).dtype


def _each(args: Any, function: Callable[[int, Any], Any]) -> list[Any]:
    """Apply to every array, with the place of the argument that it is in."""

    def one(place: int, x: Any) -> Any:
        if isinstance(x, list):
            return [one(place, inner) for inner in x]
        return function(place, x) if isinstance(x, np.ndarray) else x

    return [one(place, x) for place, x in enumerate(args)]


def _is_real(case: Case, place: int, x: Any) -> bool:
    return x.dtype.kind == "f" and place not in case.wide


def _stored(case: Case, place: int, x: Any, dtype: str) -> Any:
    return _rounded(x, dtype) if _is_real(case, place, x) else x


def _widened(case: Case, place: int, x: Any, dtype: str) -> Any:
    is_bfloat16 = dtype == "bfloat16" and x.dtype == np.uint16
    if x.dtype.kind != "f" and not is_bfloat16:
        return x
    wide = _in_float64(x, dtype)
    if case.exact or x.dtype not in (np.float32, np.uint16):
        return wide
    # Arithmetic takes denormals for zeros (-ftz=true): sqrt(-1e-40) is -0, not NaN.
    return np.where(np.abs(wide) < SMALLEST, np.copysign(0.0, wide), wide)


def _rounded(x: Any, dtype: str) -> Any:
    """As the dtype stores it."""
    with np.errstate(all="ignore"):
        if dtype != "bfloat16":
            return x.astype(dtype)
        bits = x.astype(np.float32).view(np.uint32)
        odd = (bits >> np.uint32(16)) & np.uint32(1)
        rounded = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)
        return np.where(np.isnan(x), np.uint16(0x7FFF), rounded)


def _in_float64(x: Any, dtype: str) -> Any:
    if dtype == "bfloat16" and x.dtype == np.uint16:
        return (x.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return x.astype(np.float64) if x.dtype.kind == "f" else x
