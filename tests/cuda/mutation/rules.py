"""What is changed in a line of CUDA."""

from __future__ import annotations

import re
from collections.abc import Iterator

REPLACED: tuple[tuple[str, tuple[str, ...]], ...] = (
    # Comparisons. Spaces tell them from template brackets, and products from pointers.
    (r"(?<= )<(?= )", ("<=", ">")),
    (r"(?<= )<=(?= )", ("<", ">=")),
    (r"(?<= )>(?= )", (">=", "<")),
    (r"(?<= )>=(?= )", (">", "<=")),
    (r"(?<= )==(?= )", ("!=",)),
    (r"(?<= )!=(?= )", ("==",)),
    # Arithmetic.
    (r"(?<= )\+(?= )", ("-",)),
    (r"(?<= )-(?= )", ("+",)),
    (r"(?<= )\*(?= )", ("+",)),
    (r"(?<= )/(?= )", ("*",)),
    (r"(?<= )%(?= )", ("/",)),
    (r"(?<= )\+=(?= )", ("-=", "=")),
    (r"(?<= )\*=(?= )", ("=",)),
    (r"(?<= )&&(?= )", ("||",)),
    (r"(?<= )\|\|(?= )", ("&&",)),
    (r"!(?=[\w(])", ("",)),
    # Numbers.
    (r"\b0xffffffffu\b", ("0x0000ffffu",)),
    (r"\b16\b", ("8",)),
    (r"(?<![\w.])0(?![\w.])", ("1",)),
    (r"(?<![\w.])1(?![\w.])", ("0", "2")),
    (r"(?<![\w.])(?:[2-9]|[1-9]\d+)(?![\w.])", ("1",)),
    # Waiting, choosing, walking.
    (r"__sync(?:threads|warp)\(\)", ("(void)0",)),
    (r"\bnan_max\b", ("nan_min",)),
    (r"\bnan_min\b", ("nan_max",)),
    (r"\bmax(?=\()", ("min",)),
    (r"\bmin(?=\()", ("max",)),
    (r"<Max>", ("<Min>", "<Sum>")),
    (r"<Min>", ("<Max>",)),
    (r"<Sum>", ("<Max>",)),
    (r"\bthreadIdx\.x\b", ("(threadIdx.x + 1)", "0")),
    (r"\bblockIdx\.x\b", ("0",)),
    (r"\bblockDim\.x\b", ("32", "(blockDim.x + 1)")),
    (r"\bgridDim\.x\b", ("1",)),
    (r"\b(?:continue|break|return);", (";",)),
    (r"\b-?CU_INF\b", ("0",)),
)
"""What is found in a line -> what stands there instead, one at a time."""


def changed_lines(line: str) -> Iterator[str]:
    """Every line that one change makes of a line of code."""
    code = line.partition("//")[0]
    if not code.strip() or code.lstrip().startswith(("#", "template", "static_assert", "typedef")):
        return
    for pattern, replacements in REPLACED:
        for found in re.finditer(pattern, code):
            for new in replacements:
                yield code[: found.start()] + new + code[found.end() :]
    for start, end in _conditions(code):
        for new in ("true", "false"):
            yield code[:start] + new + code[end:]


def _conditions(code: str) -> Iterator[tuple[int, int]]:
    """Where the conditions of ``if`` stand."""
    for found in re.finditer(r"\bif \(", code):
        depth, end = 1, found.end()
        while depth and end < len(code):
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            end += 1
        if not depth:  # else it goes on in the next line
            yield found.end(), end - 1
