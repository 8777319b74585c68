"""The jobs of a batch, noted down once and run again for other batches without Python in between.

Records say where everything lies, so memory has to stay: results lie in an arena, with room for
:data:`MOST_ROWS`. What follows the batch in a record, its rows and its sequences, is written anew
for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import nvtx

from gpudb.backend.jit.arena import Arena, Arenas
from gpudb.backend.jit.records import places
from gpudb.backend.jit.rows import spread_width
from gpudb.backend.jit.team import recording, run_all
from gpudb.types import HostArray

MOST_ROWS = 1024
"""Of a batch that a program is made for; of larger ones Python takes a small part of the time."""

READ = ("x", "residual", "y", "q", "k", "v", "cos", "sin", "offsets", "lines", "numbers")
"""Fields of records that say where something of the batch lies; 0 where there is none."""
FOLLOW = ("rows", "sequences")
"""Fields that are numbers of the batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Runs over any batch of at most :data:`MOST_ROWS`; one at a time."""

    inputs: Mapping[str, HostArray]
    """Where the batch is brought to, by name."""
    sequences: str
    """Name of the one that says where sequences begin."""
    jobs: HostArray
    """``(n, 2)``: kinds, and where in ``words`` each begins."""
    words: HostArray
    """All records."""
    rows_at: HostArray
    """Places in ``words`` that are the batch's rows."""
    sequences_at: HostArray
    """The same for its sequences."""
    outside_at: HostArray
    """Places that say whether row numbers were none of a table's."""
    result: HostArray
    """Where the result lies: as many rows as the batch has, or sequences."""
    by_sequence: bool
    kept: tuple[Any, ...]
    """What records point to beside the arena."""
    places: tuple[int, int, int]
    """Where the jobs lie, how many they are, and where the words lie."""

    def __call__(self, inputs: Mapping[str, HostArray]) -> HostArray | None:
        """The result of a batch, a new array; None where row numbers are none of a table's."""
        rows, sequences = _extents(inputs, self.sequences)
        for name, x in inputs.items():
            self.inputs[name][: len(x)] = x
        self.words[self.rows_at], self.words[self.sequences_at] = rows, sequences
        with nvtx.annotate("program", domain="gpudb"):
            run_all(*self.places)
        if self.words[self.outside_at].any():
            return None
        return self.result[: sequences if self.by_sequence else rows].copy()


def note_program(
    run: Callable[[Mapping[str, HostArray]], HostArray],
    inputs: Mapping[str, HostArray],
    sequences: str,
    arena: Arena,
) -> tuple[HostArray, Program | None]:
    """Run a function over a batch and note down the jobs.

    Parameters
    ----------
    run
        Inputs, by name -> the result, ``(1, n, width)``.
    inputs
        The batch; ``inputs[sequences]`` says where sequences begin in the others.
    arena
        Memory that nothing else works in.

    Returns
    -------
    result
        Of this batch, a new array ``(n, width)``.
    program
        None where something was done that is no job.
    """
    rows, count = _extents(inputs, sequences)
    noting = _Noting(arena, rows, count)
    given = {name: noting.brought(x) for name, x in inputs.items()}
    with recording(noting):
        result = run(given)[0]
    return result.copy(), noting.program(given, sequences, result)


@dataclass(slots=True, eq=False)
class Programs:
    """Of one function of batches, for any number of threads at once."""

    sequences: str
    """Name of the input that says where sequences begin."""
    arenas: Arenas
    _made: dict[int, Program] = field(default_factory=dict)
    """By the number of the arena that it works in."""
    _possible: bool = True
    """Whether all that the function does is jobs: that is known after the first batch."""

    def __call__(
        self,
        run: Callable[[Mapping[str, HostArray]], HostArray],
        inputs: Mapping[str, HostArray],
    ) -> HostArray | None:
        """See :meth:`gpudb.backend.Backend.repeats`."""
        rows, sequences = _extents(inputs, self.sequences)
        # Rows and sequences have to be told apart in the records.
        if not self._possible or not 0 < sequences < rows <= MOST_ROWS:
            return None
        with self.arenas.one() as (number, arena):
            program = self._made.get(number)
            if program is not None:
                return program(inputs)
            result, program = note_program(run, inputs, self.sequences, arena)
            if program is None:
                self._possible = False
            else:
                self._made[number] = program
            return result


def _extents(inputs: Mapping[str, HostArray], sequences: str) -> tuple[int, int]:
    offsets = inputs[sequences]
    return int(offsets[-1]), len(offsets) - 1


@dataclass(slots=True, eq=False)
class _Noting:
    """Notes down jobs; see :class:`gpudb.backend.jit.team.Recorder`."""

    arena: Arena
    rows: int
    sequences: int
    whole: bool = True
    """Whether nothing but jobs was done to the batch."""
    noted: list[tuple[int, HostArray]] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)

    def brought(self, x: HostArray) -> HostArray:
        """An input, in memory that has room for that of any batch."""
        if x.ndim == 2:
            there = self.new_rows(*x.shape)
        else:
            kind = np.dtype(np.int64) if x.dtype.kind in "iu" else x.dtype
            there = self.arena.new((MOST_ROWS + 1,), kind)[: len(x)]
        there[...] = x
        return there

    def new_rows(self, rows: int, columns: int) -> HostArray:
        """A matrix of float32, with room for that of any batch."""
        room = (max(rows, MOST_ROWS), spread_width(columns))
        return self.arena.new(room, np.float32)[:rows, :columns]

    def note(self, kind: int, job: HostArray, arrays: tuple[Any, ...]) -> None:
        """A job that is about to run, and the arrays it reads and writes."""
        read = (int(job[place]) for place in places(kind, *READ))
        numbers = (int(job[place]) for place in places(kind, *FOLLOW))
        self.whole = (
            self.whole
            and all(self.arena.holds_address(address) for address in read if address)
            and all(number in (self.rows, self.sequences) for number in numbers)
        )
        self.noted.append((kind, job.copy()))
        for x in arrays:
            if not isinstance(x, np.ndarray) or not self.arena.holds(x):
                self.kept.append(x)

    def program(
        self, inputs: Mapping[str, HostArray], sequences: str, result: HostArray
    ) -> Program | None:
        """What was noted down, if that is all there is to do."""
        if not self.whole or not self.arena.holds(result):
            return None
        starts = np.cumsum([0, *(len(job) for _, job in self.noted)])[:-1]
        words = np.concatenate([job for _, job in self.noted])
        kinds = [kind for kind, _ in self.noted]

        def everywhere(*names: str) -> HostArray:
            each = zip(kinds, starts, strict=True)
            found = [start + place for kind, start in each for place in places(kind, *names)]
            return np.array(found, np.int64)

        follow = everywhere(*FOLLOW)
        by_sequence = words[follow] == self.sequences
        room = {name: MOST_ROWS + (name == sequences) for name in inputs}
        jobs = np.column_stack([kinds, starts])
        return Program(
            {name: self.arena.with_rows(x, room[name]) for name, x in inputs.items()},
            sequences,
            jobs,
            words,
            follow[~by_sequence],
            follow[by_sequence],
            everywhere("outside"),
            self.arena.with_rows(result, MOST_ROWS),
            len(result) == self.sequences,
            tuple(self.kept),
            (jobs.ctypes.data, len(jobs), words.ctypes.data),
        )
