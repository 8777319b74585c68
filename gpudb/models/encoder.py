"""A model that is ready to run: its plans prepared, its tokenizer loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from time import perf_counter

import numpy as np
import pyarrow as pa

from gpudb.backend import Backend
from gpudb.catalog import StoredHead, Version
from gpudb.embed_options import LEAST_NORM
from gpudb.errors import UnsupportedError
from gpudb.exec.operator import Source
from gpudb.exec.parallel import run_all
from gpudb.exec.placement import Placement
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.exec.profile import Profile
from gpudb.lower import lower
from gpudb.lower.packing import pack_weights
from gpudb.models.architecture import SEQUENCES
from gpudb.models.batches import Batch, plan_batches
from gpudb.models.blockwise_runs import BlockwiseBatches, BlockwiseRuns
from gpudb.models.dense import after_pooling
from gpudb.models.embed_function import EmbedFunction
from gpudb.models.fitting import fit_batches, fit_threads
from gpudb.models.fused_runs import FusedRuns
from gpudb.models.inputs import ModelInputs
from gpudb.models.limits import Limits
from gpudb.models.reading import Reading, image_reading, row_reading, text_readings
from gpudb.models.recordings import Recordings
from gpudb.models.statistics import InferStatistics, joined
from gpudb.models.tokenizer import TextTokenizer
from gpudb.plan.node import Node
from gpudb.plan.rules import RULES, Rule, optimize
from gpudb.plan.sequence import Normalize, Pool
from gpudb.plan.serialize import plan_from_json
from gpudb.progress import Advance, progress_bar
from gpudb.settings import Settings
from gpudb.types import HostArray

HIDDEN, POOLED = "hidden", "pooled"
"""Plans that every model has: one row per token, one vector per sequence."""

KEPT_FITS = 1024
"""Placements that are kept: one for each length of text and budget that came along."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """One version of a model on one device."""

    version: Version
    backend: Backend
    limits: Limits
    source: Source
    tokenizer: TextTokenizer | None
    function: EmbedFunction
    heads: Mapping[str, StoredHead] = field(default_factory=dict)
    """By kind."""
    rules: tuple[Rule, ...] = RULES
    _stored: list[tuple[Node, ModelInputs]] = field(init=False, default_factory=list, repr=False)
    _fits: dict[tuple[str, int, int], tuple[Placement, int]] = field(
        init=False, default_factory=dict, repr=False
    )
    _joined: dict[str, PreparedPlan] = field(init=False, default_factory=dict, repr=False)
    _prepared: dict[str, PreparedPlan] = field(init=False, default_factory=dict, repr=False)
    _blockwise: dict[tuple[str, int], BlockwiseRuns] = field(
        init=False, default_factory=dict, repr=False
    )
    _recordings: dict[str, Recordings] = field(init=False, default_factory=dict, repr=False)
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
        return Normalize(pooled, LEAST_NORM) if self.function.normalize else pooled

    @property
    def text_tokenizer(self) -> TextTokenizer:
        """The tokenizer of a model that reads texts.

        Raises
        ------
        UnsupportedError
            The model has none.
        """
        if self.tokenizer is None:
            raise UnsupportedError(
                f"model {self.version.label} has no tokenizer, so it cannot read text; import a "
                "folder with tokenizer.json or a vocabulary, or use infer() with rows of numbers"
            )
        return self.tokenizer

    def plan(self, output: str) -> Node:
        """Logical plan of :data:`HIDDEN`, :data:`POOLED`, or a kind of head, as stored."""
        if output == HIDDEN:
            return self.hidden_plan
        return self.pooled_plan if output == POOLED else plan_from_json(self.heads[output].plan)

    @property
    def width(self) -> int:
        """Numbers in one output row."""
        return int(self.hidden_plan.schema.shape[1])

    @property
    def vector_width(self) -> int:
        """Numbers in one vector."""
        return int(self.pooled_plan.schema.shape[1]) if self.function.dense else self.width

    def joined(self, output: str) -> PreparedPlan:
        """The plan with its keys joined and no weight read, made at the first call and kept."""
        with self._lock:
            if output not in self._joined:
                plan = self.plan(output)
                physical = pack_weights(lower(optimize(plan, self.rules)), self.backend.packs)
                self._joined[output] = join_keys(physical, self.backend, self.source)
            return self._joined[output]

    def placed(self, output: str, placement: Placement) -> PreparedPlan:
        """The plan ready to run; resident weights are kept while the limit has room for them."""
        plan = self.joined(output)
        with self._lock:
            kept = {o: p.placement.held_nbytes for o, p in self._prepared.items() if o != output}
            resident = placement.mode == "resident"
            if not resident or sum(kept.values()) + placement.needed_nbytes > placement.limit:
                for other in kept if resident else [*self._prepared]:
                    del self._prepared[other]
                    self._recordings.pop(other, None)
            if not resident:
                return plan.placed(placement)
            if output not in self._prepared:
                self._prepared[output] = plan.placed(placement)
            elif self._prepared[output].placement is not placement:
                self._prepared[output] = replace(self._prepared[output], placement=placement)
            return self._prepared[output]

    def blockwise(self, output: str, block: int) -> BlockwiseRuns:
        """The encoder over blocks of ``block`` × ``block``; kept, with the weights it cuts."""
        with self._lock:
            if (output, block) not in self._blockwise:
                plan = self.plan(output)
                runs = BlockwiseRuns(plan, self.backend, self.source, block)
                self._blockwise[output, block] = runs
            return self._blockwise[output, block]

    def embed(
        self, texts: pa.ChunkedArray, settings: Settings, prompt: str | None = None
    ) -> tuple[HostArray, InferStatistics]:
        """One vector per text, or per image.

        Parameters
        ----------
        texts
            ``(n,)`` strings without nulls; for a model of images binary, the bytes of files.
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
        RowError
            An image cannot be decoded.
        MemoryBudgetError
            Even one text at a time would exceed the memory limit.
        """
        started = perf_counter()
        vectors = np.zeros((len(texts), self.vector_width), np.float32)

        def keep(batch: Batch, result: HostArray) -> None:
            vectors[batch.sequences] = result

        if before := self.function.prompt_named(prompt, self.version.label):
            texts = pa.chunked_array([[before + t for t in texts.to_pylist()]], pa.large_string())
        readings = (
            text_readings(self.inputs, [texts], self.text_tokenizer.encode)
            if self.function.images is None
            else [image_reading(self.inputs, self.version.config, self.function.images, texts)]
        )
        return vectors, self.run(POOLED, readings, keep, settings, started, len(texts))

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
        started = perf_counter()
        hidden = np.empty((int(offsets[-1]), self.width), np.float32)

        def keep(batch: Batch, result: HostArray) -> None:
            hidden[batch.places] = result

        readings = [row_reading(self.inputs, inputs, offsets)]
        return hidden, self.run(HIDDEN, readings, keep, settings, started, len(offsets) - 1)

    def run(
        self,
        output: str,
        readings: Iterable[Reading],
        keep: Callable[[Batch, HostArray], None],
        settings: Settings,
        started: float,
        sequences: int,
    ) -> InferStatistics:
        """Run a plan over sequences.

        Parameters
        ----------
        output
            Name of a plan: see :meth:`plan`.
        readings
            The sequences: one part or several, one after the other.
        keep
            Is given every batch, numbered through all parts, and its rows of the result, by several
            threads.
        settings
            How to run.
        started
            When the call began.
        sequences
            How many there are in all parts.
        """
        profile, parts = Profile(timed=settings.profile), list[InferStatistics]()
        with progress_bar(self.version.label, sequences, "sequences") as advance:
            texts = rows = 0
            for reading in readings:
                whole = partial(_keep_after, keep, texts, rows)
                part = self._run_part(output, reading, whole, settings, profile, advance, started)
                parts.append(part)
                texts, rows = texts + part.texts, rows + part.tokens
        return joined(parts)

    def _run_part(
        self,
        output: str,
        reading: Reading,
        keep: Callable[[Batch, HostArray], None],
        settings: Settings,
        profile: Profile,
        advance: Advance,
        started: float,
    ) -> InferStatistics:
        """Run a plan over sequences whose lengths are known; see :meth:`run`."""
        offsets = reading.offsets
        known = output in self._prepared
        relational = settings.execution == "relational"
        if relational and self.backend.packs not in (None, "float32"):
            raise UnsupportedError(
                f"execution='relational' multiplies blocks in float32, the precision is "
                f"{self.backend.packs!r}; set execution='fused', or precision='float32'"
            )
        longest, tokens = int(np.diff(offsets).max(initial=0)), int(offsets[-1])
        shares = self.limits.shares_batches and not relational
        wanted = budget = self.limits.budget(longest, tokens, shared=shares)
        runs: FusedRuns | BlockwiseBatches
        if relational:
            batches = list(plan_batches(offsets, budget))
            runs = self._blockwise_batches(output, settings.block_size, batches)
            placement = runs.plan.placement
        else:
            placement, budget = self.fit(output, longest, wanted)
            placement.check(f"model {self.version.label} over one text of {longest} tokens")
            batches = list(plan_batches(offsets, budget))
            runs = self._fused_runs(output, placement)
        computed: list[int] = []
        # Two operations for each weight and row, about: tables of rows are none, rounded weights
        # more than their bytes say.
        flops = min(tokens, budget) * runs.plan.placement.held_nbytes // 2
        shared = not relational and self.limits.shares(len(batches), flops, self.backend.packs)
        share = self.limits.threads if shared else 1

        def work(batch: Batch) -> None:
            with self.backend.together(share):
                result, rows = runs.run(batch, reading.inputs(batch), profile)
            keep(batch, result)
            computed.append(rows)

        workers = 1 if shared else placement.runs
        run_all(work, batches, workers, lambda batch: advance(len(batch.sequences)))
        runs.count(batches, profile)
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
            shared=share,
            wanted_budget=wanted,
            token_budget=budget,
            seconds=perf_counter() - started,
            tokenize_seconds=reading.seconds,
            prepare_seconds=0.0 if known and not relational else runs.plan.seconds,
            placement=placement,
            plan=runs.plan,
            profile=profile,
        )

    def fit(self, output: str, longest: int, budget: int) -> tuple[Placement, int]:
        """See :func:`fit_batches`; what came out is kept."""
        key = (output, longest, budget)
        found = self._fits.get(key)
        if found is None:
            found = fit_batches(self.joined(output), self.limits, longest, budget)
            if len(self._fits) >= KEPT_FITS:
                self._fits.clear()
            self._fits[key] = found
        return found

    def _fused_runs(self, output: str, placement: Placement) -> FusedRuns:
        """The fused plan, placed; where it stays in place, with what was recorded of it."""
        plan = self.placed(output, placement)
        if placement.mode != "resident":
            self._recordings.clear()
            return FusedRuns(plan, self.backend, None)
        with self._lock:
            if output not in self._recordings:
                self._recordings[output] = Recordings(plan, self.backend)
            return FusedRuns(plan, self.backend, self._recordings[output])

    def _blockwise_batches(
        self, output: str, block: int, batches: Sequence[Batch]
    ) -> BlockwiseBatches:
        """Plans over blocks, placed like that of the first batch, which is the longest."""
        runs = self.blockwise(output, block)
        first = runs.joined(batches[0].offsets if batches else np.zeros(1, np.int32))
        placement = fit_threads(first, self.limits, self.version.label)
        return BlockwiseBatches(runs, batches, runs.placed(first, placement), self.version.label)


def _keep_after(
    keep: Callable[[Batch, HostArray], None],
    sequences: int,
    rows: int,
    batch: Batch,
    result: HostArray,
) -> None:
    """Keep what came out of a part with so many sequences and rows before it."""
    keep(batch.after(sequences, rows), result)
