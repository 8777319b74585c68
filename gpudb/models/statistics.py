"""What running a model over a column took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gpudb.exec.placement import Placement
from gpudb.exec.prepared import PreparedPlan
from gpudb.exec.profile import Profile


@dataclass(frozen=True, slots=True)
class InferStatistics:
    """Counts and times of one call."""

    model: str
    """Name and version."""
    device: str
    execution: str
    """``fused`` or ``relational``."""
    texts: int
    """Rows asked for, nulls included."""
    distinct_texts: int
    """Texts the model ran over."""
    tokens: int
    """Tokens of those."""
    padded_tokens: int
    """Rows the model computed beyond the tokens."""
    batches: int
    threads: int
    """That batches ran on."""
    shared: int
    """Threads that shared each batch, one batch after the other; 1 where each had its own."""
    wanted_budget: int
    """Most tokens in a batch where memory is no matter."""
    token_budget: int
    """Most tokens in a batch."""
    seconds: float
    tokenize_seconds: float
    """Of a long column most of it passes while other texts are computed."""
    prepare_seconds: float
    """Reading weights and joining keys; 0 when the plan was prepared already."""
    placement: Placement
    """Where the weights were, and the bytes planned for."""
    plan: PreparedPlan
    """The plan that ran; of several, one for each batch, that of the longest."""
    profile: Profile
    """Seconds and sizes by step of the plan."""

    def over_rows(self, texts: int) -> InferStatistics:
        """The same run, asked for by so many rows of which the model saw the distinct ones."""
        return replace(self, texts=texts)

    @property
    def resident_nbytes(self) -> int:
        """Weights held between batches."""
        return self.placement.held_nbytes

    @property
    def projected_nbytes(self) -> int:
        """Most that the batches could hold at once, all threads together."""
        return self.placement.runs * self.placement.run_nbytes

    @property
    def flops(self) -> int:
        """Floating-point operations, counted from shapes."""
        return self.profile.flops

    @property
    def peak_nbytes(self) -> int:
        """Weights, and the largest batch on every thread at once; arrays only, as counted."""
        running = 1 if self.shared > 1 else min(self.threads, self.batches)
        return self.resident_nbytes + running * self.profile.peak_nbytes

    @property
    def texts_per_second(self) -> float:
        """Rows answered per second, start to end."""
        return self.texts / self.seconds if self.seconds else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens computed per second, start to end."""
        return self.tokens / self.seconds if self.seconds else 0.0


def joined(parts: Sequence[InferStatistics]) -> InferStatistics:
    """Of a column that ran in parts, which have their profile and their beginning in common.

    Weights, plan and budgets are those of the part that could hold most; of plans over blocks, each
    of which is its batch's own, those of the first, which was measured.
    """
    if len(parts) == 1:
        return parts[0]
    fused = parts[0].execution == "fused"
    return replace(
        max(parts, key=lambda part: part.projected_nbytes) if fused else parts[0],
        texts=sum(part.texts for part in parts),
        distinct_texts=sum(part.distinct_texts for part in parts),
        tokens=sum(part.tokens for part in parts),
        padded_tokens=sum(part.padded_tokens for part in parts),
        batches=sum(part.batches for part in parts),
        threads=max(part.threads for part in parts),
        seconds=parts[-1].seconds,
        tokenize_seconds=sum(part.tokenize_seconds for part in parts),
        prepare_seconds=sum(part.prepare_seconds for part in parts),
    )
