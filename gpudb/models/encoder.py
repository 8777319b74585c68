"""A model that is ready to run: its plans prepared, its tokenizer loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter

import numpy as np
import pyarrow as pa

from gpudb.backend import Backend
from gpudb.catalog import Version
from gpudb.errors import UnsupportedError
from gpudb.exec.operator import Source
from gpudb.exec.parallel import run_all
from gpudb.exec.placement import Placement
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.exec.profile import Profile
from gpudb.lower import lower
from gpudb.lower.packing import pack_weights
from gpudb.models.architecture import SEQUENCES
from gpudb.models.batches import Batch, batch_sizes, plan_batches
from gpudb.models.blockwise_runs import BlockwiseBatches, BlockwiseRuns
from gpudb.models.dense import after_pooling
from gpudb.models.embed_function import EmbedFunction
from gpudb.models.fused_runs import FusedRuns
from gpudb.models.inputs import ModelInputs
from gpudb.models.recordings import Recordings
from gpudb.models.statistics import InferStatistics
from gpudb.models.tokenizer import TextTokenizer
from gpudb.plan.node import Node
from gpudb.plan.rules import RULES, Rule, optimize
from gpudb.plan.sequence import Normalize, Pool
from gpudb.plan.serialize import plan_from_json
from gpudb.progress import progress_bar
from gpudb.settings import Settings
from gpudb.types import HostArray, Sizes

NORM_EPS = 1e-12
"""Least norm divided by when vectors are normalised, as PyTorch's ``normalize`` has it."""

NUMPY_TOKEN_BUDGET = 1024
"""Measured: activations of more tokens leave the cache, of fewer lose time between batches."""

JIT_TOKEN_BUDGET = 512
"""Measured: 256 to 512 are fastest; there is less between batches to lose than with NumPy."""

KEPT_FITS = 1024
"""Placements that are kept: one for each length of text and budget that came along."""

GPU_TOKEN_BUDGET = 16384
"""Predicted, not measured: see the table of docs/gpu.md."""


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


@dataclass(frozen=True, slots=True)
class Encoder:
    """One version of a model on one device."""

    version: Version
    backend: Backend
    limits: Limits
    source: Source
    tokenizer: TextTokenizer | None
    function: EmbedFunction
    rules: tuple[Rule, ...] = RULES
    _stored: list[tuple[Node, ModelInputs]] = field(init=False, default_factory=list, repr=False)
    _fits: dict[tuple[bool, int, int], tuple[Placement, int]] = field(
        init=False, default_factory=dict, repr=False
    )
    _joined: dict[bool, PreparedPlan] = field(init=False, default_factory=dict, repr=False)
    _prepared: dict[bool, PreparedPlan] = field(init=False, default_factory=dict, repr=False)
    _blockwise: dict[tuple[bool, int], BlockwiseRuns] = field(
        init=False, default_factory=dict, repr=False
    )
    _recordings: dict[bool, Recordings] = field(init=False, default_factory=dict, repr=False)
    _lock: Lock = field(init=False, default_factory=Lock, repr=False)

    @property
    def hidden_plan(self) -> Node:
        """Logical plan from the inputs to one row per token, as stored."""
        return self._once()[0]

    @property
    def inputs(self) -> ModelInputs:
        """What the plan reads."""
        return self._once()[1]

    def _once(self) -> tuple[Node, ModelInputs]:
        """What is read from the version at the first call, and kept."""
        if not self._stored:
            plan = plan_from_json(self.version.plan)
            self._stored.append((plan, ModelInputs.of(plan)))
        return self._stored[0]

    @property
    def pooled_plan(self) -> Node:
        """Logical plan from the inputs to one row per sequence."""
        pooled: Node = Pool(self.hidden_plan, SEQUENCES, self.function.pooling)
        if self.function.dense:
            pooled = after_pooling(self.function.dense, pooled)
        return Normalize(pooled, NORM_EPS) if self.function.normalize else pooled

    @property
    def width(self) -> int:
        """Numbers in one output row."""
        width = self.hidden_plan.schema.shape[1]
        assert isinstance(width, int)  # plans of encoders end in rows of a known width
        return width

    @property
    def vector_width(self) -> int:
        """Numbers in one vector."""
        return int(self.pooled_plan.schema.shape[1]) if self.function.dense else self.width

    def joined(self, pooled: bool) -> PreparedPlan:
        """The plan with its keys joined and no weight read, made at the first call and kept."""
        with self._lock:
            if pooled not in self._joined:
                plan = self.pooled_plan if pooled else self.hidden_plan
                physical = pack_weights(lower(optimize(plan, self.rules)), self.backend.packs)
                self._joined[pooled] = join_keys(physical, self.backend, self.source)
            return self._joined[pooled]

    def placed(self, pooled: bool, placement: Placement) -> PreparedPlan:
        """The plan ready to run; resident weights are kept, until the limit asks for streaming."""
        plan = self.joined(pooled)
        with self._lock:
            if placement.mode != "resident":
                self._prepared.clear()
                return plan.placed(placement)
            if pooled not in self._prepared:
                self._prepared[pooled] = plan.placed(placement)
            return replace(self._prepared[pooled], placement=placement)

    def blockwise(self, pooled: bool, block: int) -> BlockwiseRuns:
        """The encoder over blocks of ``block`` × ``block``; kept, with the weights it cuts."""
        with self._lock:
            if (pooled, block) not in self._blockwise:
                plan = self.pooled_plan if pooled else self.hidden_plan
                runs = BlockwiseRuns(plan, self.backend, self.source, block)
                self._blockwise[pooled, block] = runs
            return self._blockwise[pooled, block]

    def embed(
        self, texts: pa.ChunkedArray, settings: Settings, prompt: str | None = None
    ) -> tuple[HostArray, InferStatistics]:
        """One vector per text.

        Parameters
        ----------
        texts
            ``(n,)`` strings without nulls.
        settings
            How to run; ``auto`` is the fused plan: its matrices are dense, and it does the same
            work in fewer steps.
        prompt
            Name of the prompt before each text; None for the model's default.

        Returns
        -------
        vectors
            ``(n, width)`` float32, in the order of the texts.
        statistics
            What it took.

        Raises
        ------
        InputError
            There is no such prompt.
        UnsupportedError
            The model has no tokenizer.
        MemoryBudgetError
            Even one text at a time would exceed the memory limit.
        """
        if self.tokenizer is None:
            raise UnsupportedError(
                f"model {self.version.label} has no tokenizer, so it cannot embed text; import a "
                "folder with tokenizer.json or vocab.txt, or use infer() with rows of numbers"
            )
        started = perf_counter()
        if before := self.function.prompt_named(prompt, self.version.label):
            texts = pa.chunked_array([[before + t for t in texts.to_pylist()]], pa.large_string())
        tokens = self.tokenizer.encode(texts)
        tokenized = perf_counter() - started
        ids, offsets = tokens.values, tokens.offsets
        vectors = np.zeros((len(texts), self.vector_width), np.float32)

        def inputs(batch: Batch) -> Mapping[str, HostArray]:
            return self._completed({"token_ids": ids[batch.rows]}, batch)

        def keep(batch: Batch, result: HostArray) -> None:
            vectors[batch.sequences] = result

        statistics = self._run(True, offsets, inputs, keep, settings, started, tokenized)
        return vectors, statistics

    def infer(
        self, inputs: Mapping[str, HostArray], offsets: HostArray, settings: Settings
    ) -> tuple[HostArray, InferStatistics]:
        """The encoder's raw output: one row per token.

        Parameters
        ----------
        inputs
            For an encoder of texts ``token_ids`` ``(t,)`` and optionally ``type_ids`` (zeros) and
            ``position_ids`` (each row's place in its sequence); for one of rows ``rows``
            ``(t, width)`` float32.
        offsets
            ``(s + 1,)``: sequence i has the rows ``offsets[i]:offsets[i + 1]``.
        settings
            As for :meth:`embed`.

        Returns
        -------
        hidden
            ``(t, width)`` float32.
        statistics
            What it took.
        """
        hidden = np.zeros((int(offsets[-1]), self.width), np.float32)

        def batch_inputs(batch: Batch) -> Mapping[str, HostArray]:
            given = {name: values[batch.rows] for name, values in inputs.items()}
            return self._completed(given, batch)

        def keep(batch: Batch, result: HostArray) -> None:
            hidden[batch.rows] = result

        statistics = self._run(False, offsets, batch_inputs, keep, settings, perf_counter(), 0.0)
        return hidden, statistics

    def _completed(self, given: Mapping[str, HostArray], batch: Batch) -> Mapping[str, HostArray]:
        """What the plan reads of a batch, types and positions as they are unless given."""
        usual = {
            "type_ids": np.zeros(len(batch.rows), np.int32),
            "position_ids": batch.positions,
        }
        return {n: x for n, x in {**usual, **given}.items() if n in self.inputs.by_row}

    def _run(
        self,
        pooled: bool,
        offsets: HostArray,
        inputs: Callable[[Batch], Mapping[str, HostArray]],
        keep: Callable[[Batch, HostArray], None],
        settings: Settings,
        started: float,
        tokenized: float,
    ) -> InferStatistics:
        known = pooled in self._prepared
        relational = settings.execution == "relational"
        if relational and self.backend.packs not in (None, "float32"):
            raise UnsupportedError(
                f"execution='relational' multiplies blocks in float32, the precision is "
                f"{self.backend.packs!r}; set execution='fused', or precision='float32'"
            )
        longest, tokens = int(np.diff(offsets).max(initial=0)), int(offsets[-1])
        profile = Profile(timed=settings.profile)
        runs: FusedRuns | BlockwiseBatches
        if relational:
            budget = self._budget(longest, tokens)
            batches = list(plan_batches(offsets, budget))
            runs = self._blockwise_batches(pooled, settings.block_size, batches)
            placement = runs.plan.placement
        else:
            placement, budget = self.fit(pooled, longest, tokens)
            placement.check(f"model {self.version.label} over one text of {longest} tokens")
            batches = list(plan_batches(offsets, budget))
            runs = self._fused_runs(pooled, placement)
        computed: list[int] = []
        # A batch by itself would leave the other threads idle.
        share = self.limits.threads if len(batches) == 1 and not relational else 1

        def work(batch: Batch) -> None:
            with self.backend.together(share):
                result, rows = runs.run(batch, inputs(batch), profile)
            keep(batch, result)
            computed.append(rows)

        with progress_bar(self.version.label, tokens, "tokens") as advance:
            run_all(work, batches, placement.runs, lambda batch: advance(len(batch.rows)))
        return InferStatistics(
            model=self.version.label,
            device=self.backend.name,
            execution="relational" if relational else "fused",
            texts=len(offsets) - 1,
            distinct_texts=len(offsets) - 1,
            tokens=tokens,
            padded_tokens=sum(computed) - tokens,
            batches=len(batches),
            threads=placement.runs,
            token_budget=budget,
            seconds=perf_counter() - started,
            tokenize_seconds=tokenized,
            prepare_seconds=0.0 if known and not relational else runs.plan.seconds,
            placement=placement,
            plan=runs.plan,
            profile=profile,
        )

    def _budget(self, longest: int, tokens: int) -> int:
        """Most tokens of a batch: a short column is shared among the threads."""
        limits = self.limits
        return max(longest, min(limits.token_budget, -(-tokens // limits.threads)))

    def fit(self, pooled: bool, longest: int, tokens: int) -> tuple[Placement, int]:
        """Where the weights are, for how many threads, and the token budget, within the limit.

        Resident with smaller batches, then fewer threads, before streamed. Every batch of every
        thread reads the streamed weights anew: most tokens at work at once win. ``refused`` where
        even one text at a time is too much.
        """
        first = self._budget(longest, tokens)
        key = (pooled, longest, first)
        found = self._fits.get(key)
        if found is None:
            found = self._fit(*key)
            if len(self._fits) >= KEPT_FITS:
                self._fits.clear()
            self._fits[key] = found
        return found

    def _fit(self, pooled: bool, longest: int, most: int) -> tuple[Placement, int]:
        """The same for a token budget of ``most``."""
        plan, limit = self.joined(pooled), self.limits.memory_nbytes
        budgets = [most]
        while budgets[-1] > longest:
            budgets.append(max(longest, budgets[-1] // 2))
        fewer = range(self.limits.threads - 1, 0, -1)
        resident = [(self.limits.threads, b) for b in budgets] + [(n, longest) for n in fewer]
        streamed = [(n, b) for n in range(self.limits.threads, 0, -1) for b in budgets]
        streamed.sort(key=lambda choice: -choice[0] * choice[1])
        for mode, choices in (("resident", resident), ("streamed", streamed)):
            for threads, budget in choices:
                placement = plan.place(fullest_sizes(budget, longest), limit, threads)
                if placement.mode == mode:
                    return placement, budget
        return placement, budget

    def _fused_runs(self, pooled: bool, placement: Placement) -> FusedRuns:
        """The fused plan, placed; where it stays in place, with what was recorded of it."""
        plan = self.placed(pooled, placement)
        if placement.mode != "resident":
            self._recordings.clear()
            return FusedRuns(plan, self.backend, None)
        with self._lock:
            if pooled not in self._recordings:
                self._recordings[pooled] = Recordings(plan, self.backend)
            return FusedRuns(plan, self.backend, self._recordings[pooled])

    def _blockwise_batches(
        self, pooled: bool, block: int, batches: Sequence[Batch]
    ) -> BlockwiseBatches:
        """Plans over blocks, placed like that of the first batch, which is the longest."""
        runs = self.blockwise(pooled, block)
        first = runs.joined(batches[0].offsets if batches else np.zeros(1, np.int32))
        placement = self._fit_threads(first)
        return BlockwiseBatches(runs, batches, runs.placed(first, placement), self.version.label)

    def _fit_threads(self, plan: PreparedPlan) -> Placement:
        """Placement of a plan over blocks, for as many threads as the limit allows."""
        limit = self.limits.memory_nbytes
        choices = [plan.place({}, limit, n) for n in range(self.limits.threads, 0, -1)]
        for mode in ("resident", "streamed"):
            for placement in choices:
                if placement.mode == mode:
                    return placement
        choices[-1].check(f"model {self.version.label} over blocks")
        return choices[-1]


def fullest_sizes(budget: int, longest: int) -> Sizes:
    """The batch that memory is planned for: full, and every sequence as long as the longest."""
    return batch_sizes(tokens=budget, sequences=budget, pairs=budget * longest, longest=longest)
