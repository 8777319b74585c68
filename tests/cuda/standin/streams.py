"""Streams, events and graphs: work runs at once, or is kept while a stream captures."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable
from typing import Any

from tests.cuda.standin import order
from tests.cuda.standin.checked import like
from tests.cuda.standin.real import CUDARuntimeError, runtime

UNSUPPORTED, INVALIDATED, UNJOINED, IMPLICIT, CAPTURED_EVENT = 900, 901, 904, 906, 907
"""cudaErrorStreamCapture…: what the driver answers."""

INVALID_HANDLE = 400
"""cudaErrorInvalidResourceHandle: a stream that nobody holds any more."""

Work = Callable[[], None]


class Capture:
    """What is recorded between ``begin_capture`` and ``end_capture``."""

    def __init__(self, origin: Any, mode: int) -> None:
        self.origin = origin
        self.mode = mode
        self.valid = True
        self.work: list[Work] = []
        self.streams: list[Any] = [origin]
        """The origin, and streams that joined by waiting for an event of it."""
        self.done: dict[int, int] = {}
        """By stream: pieces of work so far."""
        self.awaited: dict[int, int] = {}
        """By stream: how much of that somebody waits for."""

    def record(self, stream: Any, work: Work) -> None:
        self.work.append(work)
        self.done[stream.ptr] = self.done.get(stream.ptr, 0) + 1

    @property
    def is_joined(self) -> bool:
        forked = (s.ptr for s in self.streams if s is not self.origin)
        return all(self.awaited.get(ptr, 0) >= self.done.get(ptr, 0) for ptr in forked)


@like("cupy.cuda.Graph")
class Graph:
    """Captured work: pointers, not arrays, so memory freed since is found out at launch."""

    def __init__(self, work: list[Work]) -> None:
        self._work = work

    def launch(self, stream: Any = None) -> None:
        target = stream or get_current_stream()
        for work in self._work:
            submit(work, target)

    def upload(self, stream: Any = None) -> None:
        forbid_capture(stream or get_current_stream())


@like("cupy.cuda.Event")
class Event:
    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        if interprocess and not disable_timing:
            raise ValueError("Timing must be disabled for interprocess events")
        self.ptr = next(_handles)
        self._capture: Capture | None = None
        self._stream: Any = None
        self._position = 0
        self._clock: order.Clock = {}

    @property
    def done(self) -> bool:
        self._forbid_captured()
        return True

    def record(self, stream: Any = None) -> None:
        self._stream = stream or get_current_stream()
        self._capture = self._stream._capture
        if self._capture:
            self._position = self._capture.done.get(self._stream.ptr, 0)
        else:
            self._clock = dict(order.current.clock(self._stream.ptr))

    def synchronize(self) -> None:
        self._forbid_captured()
        order.merge(order.current.host, self._clock)

    def _forbid_captured(self) -> None:
        if self._capture:
            self._capture.valid = False
            raise CUDARuntimeError(CAPTURED_EVENT)


@like("cupy.cuda.Stream")
class Stream:
    null: Any = None
    """The default stream: set below."""

    def __init__(
        self,
        null: bool = False,
        non_blocking: bool = False,
        ptds: bool = False,
        priority: int | None = None,
    ) -> None:
        if ptds:
            raise NotImplementedError("the per-thread default stream is not in the stand-in")
        self.ptr = 0 if null else next(_handles)
        self.device_id = -1 if null else 0
        self._non_blocking = non_blocking
        self._capture: Capture | None = None
        _streams[self.ptr] = self

    @property
    def is_non_blocking(self) -> bool:
        return self._non_blocking

    @property
    def done(self) -> bool:
        forbid_capture(self)
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __enter__(self) -> Any:
        _outer_streams().append(get_current_stream())
        return self.use()

    def __exit__(self, *error: object) -> None:
        _outer_streams().pop().use()

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, self.ptr)

    def use(self) -> Any:
        _thread.current = self
        return self

    def synchronize(self) -> None:
        forbid_capture(self)
        order.merge(order.current.host, order.current.clock(self.ptr))

    def record(self, event: Any = None) -> Any:
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Any) -> None:
        capture = event._capture
        if capture is None:
            order.merge(order.current.clock(self.ptr), event._clock)
            return
        if self._capture is None:  # forked: this stream is captured too from now on
            self._capture = capture
            capture.streams.append(self)
        if self._capture is not capture or not capture.valid:
            raise CUDARuntimeError(UNSUPPORTED)
        ptr = event._stream.ptr
        capture.awaited[ptr] = max(capture.awaited.get(ptr, 0), event._position)

    def begin_capture(self, mode: int | None = None) -> None:
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self._capture:
            raise CUDARuntimeError(UNSUPPORTED)
        self._capture = Capture(self, runtime.streamCaptureModeRelaxed if mode is None else mode)
        _capturing.append(self._capture)

    def end_capture(self) -> Graph:
        capture = self._capture
        if capture is None or capture.origin is not self:
            raise CUDARuntimeError(UNSUPPORTED)
        for stream in capture.streams:
            stream._capture = None
        _capturing.remove(capture)
        if not capture.valid:
            raise CUDARuntimeError(INVALIDATED)
        if not capture.is_joined:
            raise CUDARuntimeError(UNJOINED)
        return Graph(capture.work)

    def is_capturing(self) -> bool:
        return self._capture is not None


def get_current_stream(device_id: int = -1) -> Any:
    return getattr(_thread, "current", Stream.null)


def _outer_streams() -> list[Any]:
    """Of this thread: those that were current before each ``with``."""
    if not hasattr(_thread, "outer"):
        _thread.outer = []
    outer: list[Any] = _thread.outer
    return outer


def by_pointer(ptr: int) -> Any:
    """The stream of a raw handle."""
    if ptr not in _streams:
        raise CUDARuntimeError(INVALID_HANDLE)
    return _streams[ptr]


def submit(work: Work, stream: Any = None) -> None:
    """Run on the current stream, or on another: now, or whenever the graph is launched."""
    target = stream or get_current_stream()
    if target._capture:
        if not target._capture.valid:
            raise CUDARuntimeError(INVALIDATED)
        target._capture.record(target, work)
        return
    if target.ptr == 0 and any(not c.origin.is_non_blocking for c in _capturing):
        raise CUDARuntimeError(IMPLICIT)  # the default stream waits for blocking streams
    order.current.raise_faults()
    with order.current.running(target):
        work()


def forbid_capture(stream: Any = None) -> None:
    """The host waits for a stream here: the driver refuses that while the stream captures."""
    capture = (stream or get_current_stream())._capture
    if capture:
        capture.valid = False
        raise CUDARuntimeError(UNSUPPORTED)


def forbid_malloc() -> None:
    """CudaMalloc is refused while anything captures, unless in relaxed mode."""
    for capture in _capturing:
        if capture.mode != runtime.streamCaptureModeRelaxed:
            capture.valid = False
            raise CUDARuntimeError(UNSUPPORTED)


def device_synchronize() -> None:
    for capture in _capturing:
        capture.valid = False
        raise CUDARuntimeError(UNSUPPORTED)
    order.current.host_waits_for_all()


def forget_captures() -> None:
    """Leave captures that nobody ended: the next test starts afresh."""
    for capture in _capturing:
        for stream in capture.streams:
            stream._capture = None
    _capturing.clear()
    _thread.current = Stream.null


_handles = itertools.count(0x5000, 16)
_thread = threading.local()
_capturing: list[Capture] = []
_streams: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
Stream.null = Stream(null=True)
