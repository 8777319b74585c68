"""What the stand-in raises where CuPy has no error of its own. Importable without CuPy."""

from __future__ import annotations


class IllegalAddress(RuntimeError):
    """A pointer that leads out of every live allocation, or past the end of one."""


class NotInStandin(NotImplementedError):
    """The real library has it, the stand-in has not."""


class LaunchError(TypeError):
    """A launch that CuPy would let through, and the kernel would read garbage."""


class CUBLASError(RuntimeError):
    """What cuBLAS answers, with the reason."""


class UnorderedAccess(RuntimeError):
    """Two streams use the same memory, one of them writes, and nothing says which comes first."""
