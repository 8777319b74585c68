"""Streams, events and graphs of the stand-in: order, capture, replay, and what a driver refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.cuda.standin.errors import IllegalAddress


@pytest.fixture
def cp() -> Iterator[Any]:
    pytest.importorskip("cupy")
    from tests.cuda.standin.install import standin

    with standin(device_nbytes=1 << 20) as module:
        yield module


@pytest.fixture
def stream(cp: Any) -> Any:
    return cp.cuda.Stream(non_blocking=True)


def test_the_current_stream(cp: Any, stream: Any) -> None:
    other = cp.cuda.Stream()
    assert cp.cuda.get_current_stream().ptr == 0
    with stream:
        with other:
            assert cp.cuda.get_current_stream() == other
        assert cp.cuda.get_current_stream() == stream
    assert cp.cuda.get_current_stream() == cp.cuda.Stream.null


def test_a_graph_runs_when_launched(cp: Any, stream: Any) -> None:
    x, y = cp.zeros(4, np.float32), cp.empty(4, np.float32)
    with stream:
        stream.begin_capture()
        cp.add(x, 1, out=x)
        cp.multiply(x, 2, out=y)
        graph = stream.end_capture()
    assert (x.get() == 0).all()
    graph.launch(stream)
    graph.launch(stream)
    stream.synchronize()
    assert (x.get() == 2).all()
    assert (y.get() == 4).all()


def test_a_graph_reads_pinned_memory_when_launched(cp: Any, stream: Any) -> None:
    pinned = np.frombuffer(cp.cuda.alloc_pinned_memory(16), np.float32)
    x = cp.empty(4, np.float32)
    with stream:
        stream.begin_capture()
        x.set(pinned)
        graph = stream.end_capture()
    for value in (3, 5):
        pinned[...] = value
        graph.launch(stream)
        assert (x.get(stream=stream) == value).all()


def test_products_are_captured(cp: Any, stream: Any) -> None:
    one, zero = np.array(1, np.float32), np.array(0, np.float32)
    a, c = cp.asarray(np.full(1, 3, np.float32)), cp.empty(1, np.float32)
    with stream:
        stream.begin_capture()
        cp.cuda.cublas.sgemm(
            *(cp.cuda.device.get_cublas_handle(), 0, 0, 1, 1, 1, one.ctypes.data),
            *(a.data.ptr, 1, a.data.ptr, 1, zero.ctypes.data, c.data.ptr, 1),
        )
        graph = stream.end_capture()
    assert np.isnan(c.get()).all()
    graph.launch(stream)
    assert c.get(stream=stream)[0] == 9


def test_memory_freed_after_capture(cp: Any, stream: Any) -> None:
    x = cp.zeros(4, np.float32)
    with stream:
        stream.begin_capture()
        cp.add(x, 1, out=x)
        graph = stream.end_capture()
    del x
    with pytest.raises(IllegalAddress):
        graph.launch(stream)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda cp, x, stream: x.get(),
        lambda cp, x, stream: float(x[0]),
        lambda cp, x, stream: stream.synchronize(),
        lambda cp, x, stream: cp.asarray(np.ones(4, np.float32)),
        lambda cp, x, stream: x.set(np.ones(4, np.float32)),
        lambda cp, x, stream: cp.cuda.Device().synchronize(),
        lambda cp, x, stream: stream.record().synchronize(),
        lambda cp, x, stream: stream.begin_capture(),
    ],
)
def test_what_a_capturing_stream_refuses(cp: Any, stream: Any, mistake: Any) -> None:
    x = cp.zeros(4, np.float32)
    with stream:
        stream.begin_capture()
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError):
            mistake(cp, x, stream)


def test_a_refused_call_spoils_the_capture(cp: Any, stream: Any) -> None:
    x = cp.zeros(4, np.float32)
    with stream:
        stream.begin_capture()
        with pytest.raises(RuntimeError):
            x.get()
        with pytest.raises(RuntimeError, match="Invalidated"):
            stream.end_capture()
    assert (x.get() == 0).all()


def test_malloc_while_capturing(cp: Any, stream: Any) -> None:
    mode = cp.cuda.runtime.streamCaptureModeGlobal
    cp.empty(1 << 10, np.uint8)  # gone again, but its memory stays in the pool
    with stream:
        stream.begin_capture(mode)
        cp.empty(1 << 10, np.uint8)
        with pytest.raises(RuntimeError, match="CaptureUnsupported"):
            cp.empty(1 << 12, np.uint8)


def test_malloc_in_relaxed_mode(cp: Any, stream: Any) -> None:
    with stream:
        stream.begin_capture()
        x = cp.empty(1 << 12, np.uint8)
        graph = stream.end_capture()
    graph.launch(stream)
    assert x.nbytes == 1 << 12


def test_the_default_stream_cannot_capture(cp: Any) -> None:
    with pytest.raises(RuntimeError, match="default"):
        cp.cuda.Stream.null.begin_capture()


def test_the_default_stream_waits_for_blocking_streams(cp: Any) -> None:
    x, blocking = cp.zeros(4, np.float32), cp.cuda.Stream()
    blocking.begin_capture()
    with pytest.raises(RuntimeError, match="CaptureImplicit"):
        x.fill(1)


def test_forked_work_is_captured_and_must_be_joined(cp: Any, stream: Any) -> None:
    x, y = cp.zeros(4, np.float32), cp.zeros(4, np.float32)
    cp.cuda.Device().synchronize()
    other = cp.cuda.Stream(non_blocking=True)

    def capture(join: bool) -> Any:
        with stream:
            stream.begin_capture()
            cp.add(x, 1, out=x)
            other.wait_event(stream.record())
            with other:
                cp.add(x, 1, out=y)
            if join:
                stream.wait_event(other.record())
            return stream.end_capture()

    capture(join=True).launch(stream)
    assert (y.get(stream=stream) == 2).all()
    assert not other.is_capturing()
    with pytest.raises(RuntimeError, match="Unjoined"):
        capture(join=False)


def test_an_end_without_a_beginning(cp: Any) -> None:
    with pytest.raises(RuntimeError):
        cp.cuda.Stream(non_blocking=True).end_capture()


def test_a_stream_that_nobody_holds(cp: Any) -> None:
    x = cp.zeros(4, np.float32)
    ptr = cp.cuda.Stream().ptr
    with pytest.raises(RuntimeError, match="InvalidResourceHandle"):
        cp.cuda.runtime.memsetAsync(x.data.ptr, 0, 16, ptr)
