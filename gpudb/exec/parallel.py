"""Run independent batches on several threads, each with a BLAS of one thread.

Two workers with a one-thread BLAS beat one worker with a two-thread BLAS: nobody waits for the
other between two operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from itertools import islice
from threading import Lock
from typing import TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")

_lock = Lock()
_limited = 0
_limiter: list[object] = []


def run_all(
    work: Callable[[T], None],
    items: Sequence[T],
    threads: int,
    done: Callable[[T], None] | None = None,
) -> None:
    """Call ``work`` once for each item; ``done`` follows in the calling thread.

    One item, or all of them for one thread, are worked on in the calling thread: starting another
    takes longer than a short text. Several threads have a BLAS of one thread each.

    The first error stops the rest, as does an interrupt (Ctrl-C): what is running finishes, what
    is waiting is dropped, and the error is raised.
    """
    threads = max(1, min(threads, len(items)))
    if threads == 1:
        for item in items:
            work(item)
            if done is not None:
                done(item)
        return
    waiting = iter(items)
    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        pending: dict[Future[None], T] = {}
        try:
            # No more than a thread can take next: leaving the pool runs all it has been given.
            while True:
                for item in islice(waiting, 2 * threads - len(pending)):
                    pending[pool.submit(work, item)] = item
                if not pending:
                    break
                finished, _ = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    item = pending.pop(future)
                    future.result()
                    if done is not None:
                        done(item)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to one thread while anybody is inside; the limit is one for the process."""
    global _limited
    with _lock:
        _limited += 1
        if _limited == 1:
            _limiter.append(_controller().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            _limited -= 1
            if _limited == 0:
                _limiter.pop().restore_original_limits()  # type: ignore[attr-defined]


def blas_threads() -> int:
    """Threads that one matrix product may use now; 1 where the BLAS is not known."""
    libraries = _controller().lib_controllers
    return max((b.num_threads for b in libraries if b.user_api == "blas"), default=1)


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
