"""Runs a kernel: which threads go on where, until all have returned.

Threads of a batch of blocks run together. Those that stand at the block of instructions with the
lowest number go first, so that threads that took different ways meet again where the ways do.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from tests.cuda.ptx import instructions  # noqa: F401  # registers what is known
from tests.cuda.ptx.batch import Batch, Lanes
from tests.cuda.ptx.blocks import END, Block, blocks_of
from tests.cuda.ptx.cache import AT_WORK, NBYTES_EACH, Cache
from tests.cuda.ptx.decode import Decoder
from tests.cuda.ptx.dtypes import DTYPES
from tests.cuda.ptx.errors import Fault, PtxError, PtxFault
from tests.cuda.ptx.memory import GlobalMemory, Region, owner_of
from tests.cuda.ptx.program import PtxKernel
from tests.cuda.ptx.traffic import Traffic

BATCH = 1 << 15
"""Threads that run together: so many that the calls of NumPy cost little beside their work."""

MAX_STEPS = 20_000_000
"""Blocks of instructions that a batch may carry out: beyond, a loop does not end."""


def run(
    kernel: PtxKernel,
    grid: Sequence[int],
    block: Sequence[int],
    args: Sequence[Any],
    shared: int = 0,
    check: bool = True,
    cached: bool = False,
) -> Traffic:
    """Run a kernel to its end.

    Parameters
    ----------
    grid, block
        Up to three extents each.
    args
        NumPy arrays, views as well: the kernel may touch the whole memory of their owner. Numbers
        are cast to the parameter's type, and bytes are taken as they are (structs).
    shared
        Dynamic shared memory, in bytes.
    check
        Report races and reads of unwritten shared memory. Bounds, alignment, barriers and masks
        are always checked.
    cached
        Count what passes between memory and a cache, see ``cache.py``.

    Raises
    ------
    PtxError
        A fault of the kernel, or an instruction that is not known.
    """
    regions, parameters = _arguments(kernel, args)
    decoder, blocks = _decoded(kernel)
    constants = [Region(m, name) for name, m in decoder.module_variables.items()]
    memory = GlobalMemory([*regions.values(), *constants])
    launch = _Launch(kernel, decoder, blocks, _three(grid), _three(block), memory, parameters)
    launch.shared_nbytes = kernel.static_shared + shared
    launch.check = check
    if cached:
        launch.together = AT_WORK
        launch.cache = Cache(NBYTES_EACH * min(prod(launch.grid) * prod(launch.block), AT_WORK))
    with np.errstate(all="ignore"):
        launch.run()
    arrays = [regions[owner_of(a).ctypes.data] for a in args if isinstance(a, np.ndarray)]
    launch.traffic.arrays = [region.traffic for region in arrays]
    return launch.traffic


def _three(extents: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (*map(int, extents), 1, 1)[:3]
    return x, y, z


def _arguments(kernel: PtxKernel, args: Sequence[Any]) -> tuple[dict[int, Region], Any]:
    """Regions by address, and the bytes of all parameters."""
    if len(args) != len(kernel.parameters):
        wanted = len(kernel.parameters)
        raise PtxError(f"{kernel.name} takes {wanted} parameters, got {len(args)}")
    regions: dict[int, Region] = {}
    parameters = np.zeros(kernel.parameter_nbytes, np.uint8)
    for place, (arg, parameter) in enumerate(zip(args, kernel.parameters, strict=True)):
        if isinstance(arg, np.ndarray):
            if parameter.type not in ("u64", "b64"):
                raise PtxError(f"{kernel.name}: array for parameter {place}, a .{parameter.type}")
            owner = owner_of(arg)
            regions.setdefault(owner.ctypes.data, Region(owner, f"argument {place}"))
            raw = np.uint64(arg.ctypes.data).tobytes()
        elif isinstance(arg, bytes):
            raw = arg
        else:
            raw = np.array(arg).astype(DTYPES[parameter.type]).tobytes()
        if len(raw) != parameter.nbytes:
            raise PtxError(f"{kernel.name}: {len(raw)} bytes for parameter {place}")
        at = parameter.offset
        parameters[at : at + parameter.nbytes] = np.frombuffer(raw, np.uint8)
    return regions, parameters


_DECODED: dict[int, tuple[PtxKernel, Decoder, tuple[Block, ...]]] = {}


def _decoded(kernel: PtxKernel) -> tuple[Decoder, tuple[Block, ...]]:
    """The steps of a kernel, made once."""
    if id(kernel) not in _DECODED:
        decoder = Decoder(kernel)
        _DECODED[id(kernel)] = (kernel, decoder, blocks_of(kernel, decoder))
    _, decoder, blocks = _DECODED[id(kernel)]
    return decoder, blocks


class _Launch:
    """One launch: batches of blocks, one after the other."""

    shared_nbytes = 0
    check = True
    cache: Cache | None = None
    together = BATCH

    def __init__(
        self,
        kernel: PtxKernel,
        decoder: Decoder,
        blocks: tuple[Block, ...],
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        memory: GlobalMemory,
        parameters: Any,
    ) -> None:
        self.kernel = kernel
        self.decoder = decoder
        self.blocks = blocks
        self.grid = grid
        self.block = block
        self.memory = memory
        self.parameters = parameters
        self.traffic = Traffic()

    def run(self) -> None:
        """All batches."""
        threads, count = prod(self.block), prod(self.grid)
        together = max(1, self.together // threads)
        for first in range(0, count, together):
            numbers = np.arange(first, min(count, first + together))
            self._run_batch(Batch(self, numbers))

    def _run_batch(self, batch: Batch) -> None:
        registers = self._first_registers(batch)
        pending: dict[int, list[Any]] = {0: [batch.everybody.numbers]}
        parked: dict[int, Any] = {}
        waiting: list[tuple[int, int, Any]] = []
        carried_out = 0
        while pending or parked or waiting:
            if not pending:
                pending = self._release(batch, parked, waiting)
            number = min(pending)
            arrived = _merged(pending.pop(number), parked.pop(number, None))
            block = self.blocks[number]
            if block.sync_mask is not None:
                arrived, late = self._ready(batch, block, arrived, registers)
                if len(late):
                    parked[number] = late
                if not len(arrived):
                    continue
            carried_out += 1
            if carried_out > MAX_STEPS:
                raise PtxFault(f"{self.kernel.name}: a loop does not end")
            self._run_block(batch, block, number, arrived, registers, pending, waiting)

    def _first_registers(self, batch: Batch) -> dict[int, Any]:
        """Special registers, and zeros for what a path may read without having written it."""
        specials = self.decoder.specials
        registers = {number: batch.special(name) for name, number in specials.items()}
        dtypes = list(self.decoder.dtypes.values())
        for block in self.blocks:
            for number in block.reads:
                if number not in registers:
                    registers[number] = np.zeros(batch.n, dtypes[number])
        return registers

    def _run_block(
        self,
        batch: Batch,
        block: Block,
        number: int,
        arrived: Any,
        registers: dict[int, Any],
        pending: dict[int, list[Any]],
        waiting: list[tuple[int, int, Any]],
    ) -> None:
        everybody = len(arrived) == batch.n
        lanes = batch.everybody if everybody else Lanes(arrived, batch)
        mine = registers if everybody else {r: registers[r].take(arrived) for r in block.reads}
        self._carry_out(block, mine, lanes)
        self.traffic.steps += len(block.steps) + 1
        self.traffic.instructions += (len(block.steps) + 1) * lanes.n
        if not everybody:
            for register in block.writes:
                if register in registers:
                    registers[register][arrived] = mine[register]
                else:
                    whole = registers[register] = np.zeros(batch.n, mine[register].dtype)
                    whole[arrived] = mine[register]
        if block.barrier:
            waiting.append((number, block.targets[0], arrived))
        else:
            _go_on(block, mine, arrived, pending)

    def _carry_out(self, block: Block, registers: dict[int, Any], lanes: Lanes) -> None:
        done = 0
        try:
            for step in block.steps:
                step(registers, lanes)
                done += 1
        except Fault as fault:
            thread = int(lanes.numbers[fault.at])
            raise self._error(fault, block.code[done], thread, lanes.batch) from None

    def _ready(
        self, batch: Batch, block: Block, arrived: Any, registers: dict[int, Any]
    ) -> tuple[Any, Any]:
        """Threads all of whose partners have arrived, and those that wait for some."""
        if len(arrived) == batch.n and prod(self.block) % 32 == 0:
            return arrived, arrived[:0]
        assert block.sync_mask is not None
        first = {r: registers[r].take(arrived) for r in block.mask_reads}
        mask = np.asarray(block.sync_mask(first))
        lane, warp = batch.lane[arrived], batch.warp[arrived]
        out = (mask >> lane.astype(np.uint32)) & np.uint32(1) == 0
        if out.any():
            fault = Fault("the lane is not in its own mask", 0)
            raise self._error(fault, block.code[0], int(arrived[np.flatnonzero(out)[0]]), batch)
        late = mask & ~batch.lane_bits(arrived)[warp] != 0
        return arrived[~late], arrived[late]

    def _release(
        self, batch: Batch, parked: dict[int, Any], waiting: list[tuple[int, int, Any]]
    ) -> dict[int, list[Any]]:
        """Nobody can go on: open the barriers, or report who will never come."""
        if parked:
            number, late = min(parked.items())
            fault = Fault("lanes named in the mask are not here", 0)
            raise self._error(fault, self.blocks[number].code[0], int(late[0]), batch)
        at = np.full(batch.n, END)
        for number, _, numbers in waiting:
            at[numbers] = number
        at = at.reshape(-1, prod(self.block))
        apart = np.flatnonzero((at.max(1) != END) & (at.max(1) != at.min(1)))
        if len(apart):
            row = at[apart[0]]
            number = int(row.max())
            here, thread = int((row == number).sum()), int(np.flatnonzero(row == number)[0])
            fault = Fault(f"barrier reached by {here} of {len(row)} threads", 0)
            thread += int(apart[0]) * len(row)
            raise self._error(fault, self.blocks[number].code[-1], thread, batch)
        pending: dict[int, list[Any]] = {}
        for _, target, numbers in waiting:
            _add(pending, target, numbers)
        waiting.clear()
        if batch.races:
            batch.races.barrier()
        return pending

    def _error(self, fault: Fault, instruction: Any, thread: int, batch: Batch) -> PtxFault:
        threads = prod(self.block)
        block = int(batch.numbers[thread // threads])
        where = f"{self.kernel.name}: block {block}, thread {thread % threads}"
        return PtxFault(f"{where}: {fault} in `{instruction.text}`")


def _merged(arrived: list[Any], parked: Any) -> Any:
    """Threads that meet here, ascending."""
    groups = arrived if parked is None else [*arrived, parked]
    return groups[0] if len(groups) == 1 else np.sort(np.concatenate(groups))


def _add(pending: dict[int, list[Any]], target: int, numbers: Any) -> None:
    if target != END and len(numbers):
        pending.setdefault(target, []).append(numbers)


def _go_on(
    block: Block, registers: dict[int, Any], numbers: Any, pending: dict[int, list[Any]]
) -> None:
    """Send threads where they go next."""
    if block.selector is not None:
        chosen = block.selector(registers)
        for place, target in enumerate(block.targets):
            _add(pending, target, numbers[chosen == place])
        return
    if block.condition is None:
        _add(pending, block.targets[0], numbers)
        return
    jump, after = block.targets
    holds = block.condition(registers)
    count = np.count_nonzero(holds)
    if count == len(numbers):
        _add(pending, jump, numbers)
    elif count == 0:
        _add(pending, after, numbers)
    else:
        _add(pending, jump, numbers[holds])
        _add(pending, after, numbers[~holds])
