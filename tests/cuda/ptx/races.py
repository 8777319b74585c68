"""Races and reads of unwritten memory, in the shared memory of the blocks of a batch.

Two threads race where both touch a place, one of them writes, and nothing orders them: no barrier
of the block and, within a warp, no __syncwarp. (Shuffles and votes order nothing: the CUDA C++
Programming Guide says that they imply no memory barrier.) It does not depend on the order in which
the emulator happens to run the threads.

For each place it is enough to know the last writer, and the first and last number of its readers
since the last barrier: if any but the thread itself has read it, one of the two is another one. A
__syncwarp of a part of a warp counts for the whole warp, so that a race may be missed there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cuda.ptx.errors import Fault

NOBODY = -1
WARP = 32


class RaceCheck:
    """Who has touched what since the last barrier.

    Parameters
    ----------
    nbytes
        Of the shared memory of all blocks of the batch.
    granule
        Bytes of a place: no access is smaller.
    threads
        Of the batch.
    warp
        Number of the warp of each thread.
    per_block
        Threads of a block, for reports.
    """

    def __init__(self, nbytes: int, granule: int, threads: int, warp: Any, per_block: int) -> None:
        places = -(-nbytes // granule)
        self.granule = granule
        self.warp = warp
        self._threads = threads
        self._per_block = per_block
        self._written = np.zeros(places, bool)
        self._writer = np.full(places, NOBODY)
        self._writer_epoch = np.zeros(places, np.int64)
        self._first_reader = np.full(places, threads)
        self._last_reader = np.full(places, NOBODY)
        self._reader_epoch = np.zeros(places, np.int64)
        self._warp_epoch = np.zeros(int(warp.max(initial=0)) + 1, np.int64)
        self._epoch = 0
        """Grows with every barrier and every __syncwarp."""
        self._barrier_epoch = 0

    def barrier(self) -> None:
        """All blocks of the batch that still run have met."""
        self._epoch += 1
        self._barrier_epoch = self._epoch
        self._warp_epoch[:] = self._epoch

    def warp_sync(self, numbers: Any) -> None:
        """The warps of these threads have met."""
        self._epoch += 1
        self._warp_epoch[self.warp[numbers]] = self._epoch

    def read(self, numbers: Any, starts: Any, nbytes: int) -> None:
        """Threads read ``nbytes`` bytes each."""
        for part in range(nbytes // self.granule):
            places = starts // self.granule + part
            written = self._written[places]
            if not written.all():
                raise Fault("shared memory read before it was written", _first(~written))
            self._check_writer(numbers, places)
            self._note_readers(numbers, places)

    def write(self, numbers: Any, starts: Any, nbytes: int, atomic: bool = False) -> None:
        """Threads write ``nbytes`` bytes each; atomic writes do not race with each other."""
        for part in range(nbytes // self.granule):
            places = starts // self.granule + part
            self._written[places] = True
            if atomic:
                continue
            self._check_writer(numbers, places)
            self._check_readers(numbers, places)
            self._writer[places] = numbers
            self._writer_epoch[places] = self._warp_epoch[self.warp[numbers]]
            together = self._writer[places] != numbers
            if together.any():
                self._report(numbers, places, self._writer[places], together)

    def _check_writer(self, numbers: Any, places: Any) -> None:
        writer, epoch = self._writer[places], self._writer_epoch[places]
        recent = (writer != numbers) & (writer != NOBODY) & (epoch >= self._barrier_epoch)
        if recent.any():
            raced = recent & ~self._ordered(numbers, writer, epoch)
            if raced.any():
                self._report(numbers, places, writer, raced)

    def _check_readers(self, numbers: Any, places: Any) -> None:
        epoch = self._reader_epoch[places]
        for reader in (self._first_reader[places], self._last_reader[places]):
            known = (reader != NOBODY) & (reader != self._threads)
            recent = known & (reader != numbers) & (epoch >= self._barrier_epoch)
            if recent.any():
                raced = recent & ~self._ordered(numbers, np.where(known, reader, 0), epoch)
                if raced.any():
                    self._report(numbers, places, reader, raced)

    def _note_readers(self, numbers: Any, places: Any) -> None:
        """Forget readers from before what orders them and these; then add these."""
        epoch = self._warp_epoch[self.warp[numbers]]
        first, last = self._first_reader[places], self._last_reader[places]
        stale = self._reader_epoch[places] < self._barrier_epoch
        in_warp = (self.warp[first % self._threads] == self.warp[numbers]) & (
            self.warp[last] == self.warp[numbers]
        )
        stale |= in_warp & (self._reader_epoch[places] < epoch)
        first, last = np.where(stale, self._threads, first), np.where(stale, NOBODY, last)
        # Of equal places the last one assigned stays: the largest number; backwards, the smallest.
        self._last_reader[places] = np.maximum(last, numbers)
        self._first_reader[places[::-1]] = np.minimum(first, numbers)[::-1]
        self._reader_epoch[places] = epoch

    def _ordered(self, numbers: Any, others: Any, epoch: Any) -> Any:
        """Of one warp, which has met since."""
        warp = self.warp[numbers]
        return (self.warp[others] == warp) & (epoch < self._warp_epoch[warp])

    def _report(self, numbers: Any, places: Any, others: Any, raced: Any) -> None:
        at = _first(raced)
        other = int(others[at])
        raise Fault(f"data race in shared memory with thread {other % self._per_block}", at)


def _first(mask: Any) -> int:
    return int(np.flatnonzero(mask)[0])
