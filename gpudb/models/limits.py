"""What a run of a model may take."""

from __future__ import annotations

from dataclasses import dataclass

NUMPY_TOKEN_BUDGET = 1024
"""Measured: activations of more tokens leave the cache, of fewer lose time between batches."""

JIT_TOKEN_BUDGET = 512
"""Measured: 256 to 512 are fastest; there is less between batches to lose than with NumPy."""

GPU_TOKEN_BUDGET = 16384
"""Predicted, not measured: see the table of docs/gpu.md."""


LEAST_SHARED_FLOPS = 10_000_000
"""Of a batch by itself, for all threads to share it. Measured on ``jit``: with fewer, waking the
others takes longer than they save."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take."""

    threads: int
    token_budget: int
    """Most tokens in one batch of one thread."""
    memory_nbytes: int
    """Most bytes held at once: weights, and every thread's batch."""


def batch_limits(device: str, threads: int, token_budget: int, memory_nbytes: int) -> Limits:
    """What runs on a device may take; a budget of 0 is as the device likes.

    Processors work on batches that stay in their caches, one for each thread. A GPU works on one
    batch at a time, and wants it large: its multiprocessors outnumber the tiles of a small product.
    """
    if device == "cuda":
        return Limits(1, token_budget or GPU_TOKEN_BUDGET, memory_nbytes)
    likes = JIT_TOKEN_BUDGET if device == "jit" else NUMPY_TOKEN_BUDGET
    return Limits(threads, token_budget or likes, memory_nbytes)
