"""Basic blocks of a kernel, and which registers they need and leave behind.

A block is run by some of the threads. What they need is picked from the registers once, what others
read later is put back once; between, its instructions work on arrays of just these threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cuda.ptx.decode import Decoder, Registers, Step
from tests.cuda.ptx.errors import PtxError
from tests.cuda.ptx.program import Instruction, PtxKernel

JUMPS = frozenset({"bra", "brx", "ret", "exit", "trap"})
BARRIERS = frozenset({"bar", "barrier"})
WARP_SYNCS = frozenset({"shfl", "vote", "match", "redux", "bar.warp"})
"""Instructions that wait for the lanes in their mask."""


@dataclass(frozen=True, slots=True)
class Block:
    """A straight run of instructions."""

    code: tuple[Instruction, ...]
    steps: tuple[Step, ...]
    """One for each instruction, without the jump or barrier at the end."""
    reads: tuple[int, ...]
    """Registers that it takes from before."""
    writes: tuple[int, ...]
    """Registers that it writes and somebody reads later."""
    targets: tuple[int, ...]
    """Blocks that may follow: where the jump goes, then what comes after; END is -1."""
    condition: Callable[[Registers], Any] | None = None
    """Of the jump; None: always."""
    selector: Callable[[Registers], Any] | None = None
    """Of an indirect jump: number of the target."""
    barrier: bool = False
    """All threads of the CUDA block meet at its end."""
    sync_mask: Callable[[Registers], Any] | None = None
    """Mask of its first instruction, which waits for the lanes in it."""
    mask_reads: tuple[int, ...] = ()
    """The register that the mask is in."""


END = -1


def opcode_of(instruction: Instruction) -> str:
    """The opcode; ``bar.warp.sync`` is one of its own."""
    is_warp = instruction.opcode == "bar" and "warp" in instruction.modifiers
    return "bar.warp" if is_warp else instruction.opcode


def blocks_of(kernel: PtxKernel, decoder: Decoder) -> tuple[Block, ...]:
    """Cut a kernel into blocks, in the order of its code."""
    cuts = _cuts(kernel)
    ranges = list(zip(cuts, [*cuts[1:], len(kernel.code)], strict=True))
    number = {start: i for i, (start, _) in enumerate(ranges)}
    number[len(kernel.code)] = END
    labels = {name: number[at] for name, at in kernel.labels.items()}
    successors = [
        _successors(kernel, i, stop, ranges, labels) for i, (_, stop) in enumerate(ranges)
    ]
    uses = [_uses(kernel.code[start:stop], decoder) for start, stop in ranges]
    live_after = _live_after(uses, successors)
    return tuple(
        _block(kernel.code[start:stop], decoder, uses[i], live_after[i], successors[i])
        for i, (start, stop) in enumerate(ranges)
    )


def _cuts(kernel: PtxKernel) -> list[int]:
    cuts = {0, *kernel.labels.values()}
    for at, instruction in enumerate(kernel.code):
        opcode = opcode_of(instruction)
        if opcode in JUMPS or opcode in BARRIERS:
            cuts.add(at + 1)
        elif opcode in WARP_SYNCS:
            cuts.add(at)
            if instruction.predicate:
                raise PtxError(f"`{instruction.text}` under a predicate is not known")
    return sorted(cut for cut in cuts if cut < len(kernel.code))


def _successors(
    kernel: PtxKernel,
    block: int,
    stop: int,
    ranges: list[tuple[int, int]],
    labels: Mapping[str, int],
) -> tuple[int, ...]:
    last = kernel.code[stop - 1]
    after = block + 1 if block + 1 < len(ranges) else END
    if last.opcode == "bra":
        jump = labels[last.operands[0]]
        return (jump, after) if last.predicate else (jump,)
    if last.opcode == "brx":
        return tuple(labels[x] for x in kernel.tables[last.operands[1]])
    if last.opcode in ("ret", "exit"):
        return (END, after) if last.predicate else (END,)
    return (after,)


@dataclass(frozen=True, slots=True)
class _Uses:
    """Registers as bits: read before they are written, and written."""

    reads: int
    writes: int


def _uses(code: Iterable[Instruction], decoder: Decoder) -> _Uses:
    reads = writes = 0
    for instruction in code:
        for register in decoder.sources(instruction):
            reads |= (1 << register) & ~writes
        for register in decoder.destinations(instruction):
            if instruction.predicate:  # those without keep what they had
                reads |= (1 << register) & ~writes
            writes |= 1 << register
    return _Uses(reads, writes)


def _live_after(uses: list[_Uses], successors: list[tuple[int, ...]]) -> list[int]:
    """Registers that somebody reads after each block."""
    before = [use.reads for use in uses]
    after = [0] * len(uses)
    changed = True
    while changed:
        changed = False
        for i in reversed(range(len(uses))):
            for successor in successors[i]:
                if successor != END:
                    after[i] |= before[successor]
            live = uses[i].reads | (after[i] & ~uses[i].writes)
            if live != before[i]:
                before[i], changed = live, True
    return after


def _block(
    code: tuple[Instruction, ...],
    decoder: Decoder,
    uses: _Uses,
    live_after: int,
    targets: tuple[int, ...],
) -> Block:
    first, last = code[0], code[-1]
    opcode = opcode_of(last)
    waits = opcode_of(first) in WARP_SYNCS
    ends = opcode in JUMPS or opcode in BARRIERS
    if opcode == "trap" or (opcode in BARRIERS and last.predicate):
        raise PtxError(f"`{last.text}` is not known")
    if opcode in BARRIERS and not (last.has("sync") and last.operands == ("0",)):
        raise PtxError(f"`{last.text}` is not known: only bar.sync 0 is")
    condition = None
    if last.predicate and opcode in JUMPS:
        condition = decoder.condition(last)
    return Block(
        code=code,
        steps=tuple(decoder.step(x) for x in (code[:-1] if ends else code)),
        reads=_bits(uses.reads),
        writes=_bits(uses.writes & live_after),
        targets=targets,
        condition=condition,
        selector=decoder.read(last.operands[0], "u32") if opcode == "brx" else None,
        barrier=opcode in BARRIERS,
        sync_mask=decoder.sync_mask(first) if waits else None,
        mask_reads=_mask_registers(first, decoder) if waits else (),
    )


def _mask_registers(instruction: Instruction, decoder: Decoder) -> tuple[int, ...]:
    mask = instruction.operands[-1]
    return (decoder.result(mask)[0],) if decoder.is_register(mask) else ()


def _bits(mask: int) -> tuple[int, ...]:
    numbers = []
    while mask:
        lowest = mask & -mask
        numbers.append(lowest.bit_length() - 1)
        mask ^= lowest
    return tuple(numbers)
