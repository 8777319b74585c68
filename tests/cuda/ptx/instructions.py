"""Every family of instructions; importing them puts their builders into ``BUILDERS``."""

from __future__ import annotations

from tests.cuda.ptx import accesses, convert, floats, integers, moves, warp
from tests.cuda.ptx.decode import BUILDERS

FAMILIES = (accesses, convert, floats, integers, moves, warp)

__all__ = ["BUILDERS", "FAMILIES"]
