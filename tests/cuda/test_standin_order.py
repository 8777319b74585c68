"""Two streams and the same memory: found without an event between them, quiet with one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from tests.cuda.standin.errors import UnorderedAccess


@pytest.fixture
def cp() -> Iterator[Any]:
    pytest.importorskip("cupy")
    from tests.cuda.standin.install import standin

    with standin() as module:
        yield module


@pytest.fixture
def pair(cp: Any) -> tuple[Any, Any]:
    return cp.cuda.Stream(non_blocking=True), cp.cuda.Stream(non_blocking=True)


def test_reading_what_another_stream_writes(cp: Any, pair: Any) -> None:
    with pair[0]:
        x = cp.zeros(4, np.float32)
    with pair[1], pytest.raises(UnorderedAccess, match="reads what"):
        cp.add(x, 1)


def test_overwriting_what_another_stream_reads(cp: Any, pair: Any) -> None:
    x = cp.zeros(4, np.float32)
    cp.cuda.Device().synchronize()
    with pair[0]:
        y = cp.add(x, 1)
    with pair[1], pytest.raises(UnorderedAccess, match="writes what"):
        x.fill(2)
    assert (y.get(stream=pair[0]) == 1).all()


def test_two_readers_need_no_order(cp: Any, pair: Any) -> None:
    x = cp.zeros(4, np.float32)
    cp.cuda.Stream.null.synchronize()
    for stream in pair:
        with stream:
            assert (cp.add(x, 1).get() == 1).all()


def test_parts_of_one_allocation(cp: Any, pair: Any) -> None:
    x = cp.zeros(8, np.float32)
    cp.cuda.Device().synchronize()
    with pair[0]:
        x[:4].fill(1)
    with pair[1]:
        x[4:].fill(2)
        with pytest.raises(UnorderedAccess):
            x[3:].fill(3)
    pair[0].synchronize()
    pair[1].synchronize()


@pytest.mark.parametrize(
    "how", ["event", "host waits for event", "host waits for stream", "device"]
)
def test_ways_to_wait(cp: Any, pair: Any, how: str) -> None:
    first, second = pair
    with first:
        x = cp.zeros(4, np.float32)
        event = first.record()
    if how == "event":
        second.wait_event(event)
    elif how == "host waits for event":
        event.synchronize()
    elif how == "host waits for stream":
        first.synchronize()
    else:
        cp.cuda.Device().synchronize()
    with second:
        assert (cp.add(x, 1).get() == 1).all()


def test_the_device_waits_for_streams_that_are_gone(cp: Any, pair: Any) -> None:
    with cp.cuda.Stream(non_blocking=True):
        x = cp.zeros(4, np.float32)
    cp.cuda.Device().synchronize()
    with pair[0]:
        assert (x.get() == 0).all()


def test_an_event_recorded_too_early(cp: Any, pair: Any) -> None:
    first, second = pair
    with first:
        event = first.record()
        x = cp.zeros(4, np.float32)
    second.wait_event(event)
    with second, pytest.raises(UnorderedAccess):
        x.get()


def test_waiting_is_passed_on(cp: Any, pair: Any) -> None:
    third = cp.cuda.Stream(non_blocking=True)
    with pair[0]:
        x = cp.zeros(4, np.float32)
    pair[1].wait_event(pair[0].record())
    third.wait_event(pair[1].record())
    with third:
        assert (x.get() == 0).all()


def test_the_default_stream_and_blocking_streams_wait_for_each_other(cp: Any) -> None:
    blocking = cp.cuda.Stream()
    x = cp.zeros(4, np.float32)
    with blocking:
        cp.add(x, 1, out=x)
    cp.add(x, 1, out=x)
    assert (x.get() == 2).all()


def test_products_and_copies_count(cp: Any, pair: Any) -> None:
    x = cp.zeros(1, np.float32)
    one = np.array(1, np.float32)
    with pair[0], pytest.raises(UnorderedAccess):
        cp.cuda.cublas.sgemm(
            *(cp.cuda.device.get_cublas_handle(), 0, 0, 1, 1, 1, one.ctypes.data, x.data.ptr, 1),
            *(x.data.ptr, 1, one.ctypes.data, x.data.ptr, 1),
        )
    with pytest.raises(UnorderedAccess):
        cp.cuda.runtime.memsetAsync(x.data.ptr, 0, 4, pair[1].ptr)


def test_libcudf_works_on_the_default_stream(cp: Any, pair: Any) -> None:
    import pylibcudf as plc

    with pair[0]:
        keys = plc.Table([plc.Column.from_cuda_array_interface(cp.arange(3))])
        with pytest.raises(UnorderedAccess):
            plc.join.inner_join(keys, keys, plc.types.NullEquality.EQUAL)
        plc.join.inner_join(keys, keys, plc.types.NullEquality.EQUAL, stream=pair[0])


def test_threads_have_streams_of_their_own(cp: Any, pair: Any) -> None:
    def work(stream: Any) -> float:
        with stream:
            x = cp.zeros(64, np.float32)
            for _ in range(50):
                cp.add(x, 1, out=x)
                assert cp.cuda.get_current_stream() == stream
            return float(x[0])

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(work, pair)) == [50, 50]


def test_freeing_what_another_stream_still_uses() -> None:
    pytest.importorskip("cupy")
    with pytest.raises(UnorderedAccess, match="freed while"):
        _free_too_early()


def _free_too_early() -> None:
    from tests.cuda.standin.install import standin

    with standin() as cp:
        x = cp.zeros(4, np.float32)
        other = cp.cuda.Stream(non_blocking=True)
        other.wait_event(cp.cuda.Stream.null.record())
        with other:
            y = cp.add(x, 1)
        del x  # back to the pool of the default stream, which does not wait for the other
        del y
