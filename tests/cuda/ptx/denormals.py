"""Which float32 operands can be denormal: the others need no flushing."""

from __future__ import annotations

import re

from tests.cuda.ptx.program import Instruction, PtxKernel


def flushed_registers(kernel: PtxKernel) -> frozenset[str]:
    """Operands that hold only what an ``.ftz`` operation made, or normal constants."""
    definitions: dict[str, list[Instruction]] = {}
    for instruction in kernel.code:
        if instruction.operands:
            into = instruction.operands[0]
            for name in re.findall(r"[%\w$.@]+", into):
                definitions.setdefault(name, []).append(instruction)
    constants = {x for i in kernel.code for x in i.operands if _is_normal_constant(x)}
    clean = constants | set(definitions)
    while True:
        left = {
            name
            for name in clean
            if all(_keeps_clean(instruction, clean) for instruction in definitions.get(name, ()))
        }
        if left == clean:
            return frozenset(clean)
        clean = left


def _keeps_clean(instruction: Instruction, clean: set[str]) -> bool:
    if instruction.opcode in ("st", "bra"):  # their first operand is not written
        return True
    if instruction.opcode == "mov":
        return instruction.operands[1] in clean
    if instruction.opcode == "selp":
        return instruction.operands[1] in clean and instruction.operands[2] in clean
    kind = instruction.modifiers[-2:-1] if instruction.opcode == "cvt" else (instruction.type,)
    return instruction.has("ftz") and kind == ("f32",)


def _is_normal_constant(operand: str) -> bool:
    found = re.match(r"0[fF]([0-9a-fA-F]{8})$", operand)
    if not found:
        return False
    bits = int(found[1], 16) & 0x7FFFFFFF
    return bits == 0 or bits >= 0x00800000
