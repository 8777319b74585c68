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
MOST_SHARED_FLOPS = 2_000_000_000
"""Of one of several batches, for all threads to share one after the other. Measured on ``jit`` with
two threads and a batch of 512 rows: 1.04 to 1.4 times as fast as a batch for each thread at 0.4
GFLOP, 1.03 to 1.2 at 1.6, 1.0 to 1.03 at 6. A batch of 128 or 256 rows for each thread is
no faster than one of 512, so it is not the caches."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take."""

    threads: int
    token_budget: int
    """Most tokens in one batch of one thread."""
    memory_nbytes: int
    """Most bytes held at once: weights, and every thread's batch."""
    shares_batches: bool = False
    """Threads can share one batch: measured on ``jit``, a column of so many tokens as one batch has
    is done 1.1 to 1.5 times as fast by all threads together as cut into a batch for each."""

    def budget(self, longest: int, tokens: int, *, shared: bool) -> int:
        """Most tokens in one batch of a column.

        A column of one batch stays that where threads can share it; others are cut into as many
        batches of about the same size for each thread.

        Parameters
        ----------
        longest
            Tokens of the longest sequence, which is not cut.
        tokens
            Of the column.
        shared
            Whether a batch by itself is shared by all threads.
        """
        if shared and tokens <= self.token_budget:
            return max(longest, tokens)
        each = max(1, -(-tokens // (self.threads * self.token_budget)))
        return max(longest, -(-tokens // (self.threads * each)))

    def shares(self, batches: int, flops: int, precision: str | None) -> bool:
        """Whether all threads share each of a column's batches, or have one each.

        Parameters
        ----------
        batches
            How many there are.
        flops
            Of one of them.
        precision
            Of the weights. Threads that share a product with rounded ones round all rows each.
        """
        if batches == 1:
            return flops >= LEAST_SHARED_FLOPS
        small = LEAST_SHARED_FLOPS <= flops <= MOST_SHARED_FLOPS
        return self.shares_batches and small and precision == "float32"


def batch_limits(device: str, threads: int, token_budget: int, memory_nbytes: int) -> Limits:
    """What runs on a device may take; a budget of 0 is as the device likes.

    Processors work on batches that stay in their caches, one for each thread. A GPU works on one
    batch at a time, and wants it large: its multiprocessors outnumber the tiles of a small product.
    """
    if device == "cuda":
        return Limits(1, token_budget or GPU_TOKEN_BUDGET, memory_nbytes)
    likes = JIT_TOKEN_BUDGET if device == "jit" else NUMPY_TOKEN_BUDGET
    return Limits(threads, token_budget or likes, memory_nbytes, device == "jit")
