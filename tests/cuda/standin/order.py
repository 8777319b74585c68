"""Which work is known to come after which: found by vector clocks, so whatever the real order.

Every stream counts its work, and knows how much of the other streams' work is done before its own:
from events it waited for, and from what the host had waited for when the work was submitted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.cuda.standin import memory
from tests.cuda.standin.errors import UnorderedAccess
from tests.cuda.standin.memory import Span

Clock = dict[int, int]
"""Handle of a stream -> pieces of its work that are done before."""


@dataclass(frozen=True, slots=True)
class Access:
    """Bytes that a piece of work read or wrote."""

    low: int
    high: int
    stream: int
    tick: int
    write: bool

    def meets(self, other: Access) -> bool:
        return self.low < other.high and other.low < self.high and (self.write or other.write)

    def covers(self, other: Access) -> bool:
        same = self.stream == other.stream and self.write >= other.write
        return same and self.low <= other.low and other.high <= self.high


class Order:
    """Clocks of all streams and of the host, and who used which memory last."""

    def __init__(self) -> None:
        self.host: Clock = {}
        self.faults: list[str] = []
        """Found where nothing can be raised: when memory was freed."""
        self._clocks: dict[int, Clock] = {}
        self._accesses: dict[int, list[Access]] = {}
        self._blocking: set[int] = set()
        self._thread = threading.local()
        self._lock = threading.RLock()

    def clock(self, stream: int) -> Clock:
        return self._clocks.setdefault(stream, {})

    @contextmanager
    def running(self, stream: Any) -> Iterator[None]:
        """Accesses are those of one piece of work on a stream."""
        with self._lock:
            clock = self.clock(stream.ptr)
            merge(clock, self.host)
            for other in self._waits_for(stream):
                merge(clock, self.clock(other))
            clock[stream.ptr] = clock.get(stream.ptr, 0) + 1
            if not stream.is_non_blocking:
                self._blocking.add(stream.ptr)
        before = self._stream
        self._thread.stream = stream.ptr
        try:
            yield
        finally:
            self._thread.stream = before

    @property
    def _stream(self) -> int:
        """That of the work which runs in this thread; the default stream outside of any."""
        return getattr(self._thread, "stream", 0)

    def _waits_for(self, stream: Any) -> list[int]:
        """The default stream and blocking streams wait for each other."""
        if stream.is_non_blocking:
            return []
        return sorted(self._blocking) if stream.ptr == 0 else [0]

    def host_waits_for_all(self) -> None:
        """For streams that are gone, too."""
        with self._lock:
            for clock in self._clocks.values():
                merge(self.host, clock)

    def touch(self, span: Span, write: bool) -> None:
        """Called by work as it runs. Raises where other work is neither before nor after."""
        if 0 in span.shape:
            return
        low, high = span.bounds
        stream = self._stream
        with self._lock:
            clock = self.clock(stream)
            new = Access(low, high, stream, clock.get(stream, 0), write)
            earlier = self._accesses.setdefault(memory.device.find(low, high - low).address, [])
            for old in earlier:
                if old.meets(new) and not _is_before(old, stream, clock):
                    raise UnorderedAccess(
                        f"stream {stream:#x} {_verb(write)} what stream {old.stream:#x} "
                        f"{_verb(old.write)}: no event between them"
                    )
            earlier[:] = [old for old in earlier if self._matters(old, new)] + [new]

    def _matters(self, old: Access, new: Access) -> bool:
        """What the host has waited for, all work from now on comes after."""
        return self.host.get(old.stream, 0) < old.tick and not new.covers(old)

    def freed(self, address: int, stream: int) -> None:
        """Memory goes back to a pool: safe for work that comes later on the pool's stream."""
        with self._lock:
            clock = {**self.clock(stream)}
            merge(clock, self.host)
            used = self._accesses.pop(address, [])
        for old in used:
            if not _is_before(old, stream, clock):
                self.faults.append(
                    f"memory at {address:#x} was freed while stream {old.stream:#x} may still use "
                    f"it: it was allocated on stream {stream:#x}, which does not wait for that"
                )

    def raise_faults(self) -> None:
        if self.faults:
            raise UnorderedAccess("; ".join(self.faults))


def merge(clock: Clock, other: Clock) -> None:
    """Know what the other knows as well."""
    for stream, tick in other.items():
        clock[stream] = max(clock.get(stream, 0), tick)


def _verb(write: bool) -> str:
    return "writes" if write else "reads"


def _is_before(old: Access, stream: int, clock: Clock) -> bool:
    return old.stream == stream or clock.get(old.stream, 0) >= old.tick


current = Order()
"""Of the one device; another one in every :func:`tests.cuda.standin.install.standin`."""


def reads(*spans: Span) -> None:
    """Work says what it reads."""
    for span in spans:
        current.touch(span, write=False)


def writes(*spans: Span) -> None:
    """Work says what it writes."""
    for span in spans:
        current.touch(span, write=True)
