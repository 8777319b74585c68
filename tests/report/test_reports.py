"""One report as data, text, JSON and HTML: the same numbers, nothing lost, everything escaped."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from gpudb import machine
from gpudb.backend import NullBackend, open_backend
from gpudb.cli.devices import available
from gpudb.errors import InputError
from gpudb.exec.prepared import prepare
from gpudb.exec.profile import Profile
from gpudb.exec.report import Setting, report_plan
from gpudb.lower import lower
from gpudb.lower.packing import pack_weights
from gpudb.machine import Rates
from gpudb.plan.reduce import SegmentAggregate
from gpudb.plan.rules import optimize
from gpudb.plan.tensor import Map, Matmul
from gpudb.report import Report, from_json, to_html, to_json, to_text
from gpudb.report.data import StepReport
from gpudb.report.limit import limit_text
from tests.report.measured import CEILINGS, measured, whole
from tests.tiny_plans import Arrays, bert_encoder, prepared


def test_the_shares_are_one_whole_and_rates_follow_from_counts():
    report, plan, profile = measured()
    assert sum(s.share for s in report.steps) == pytest.approx(1, abs=1e-9)
    assert sum(s.flops for s in report.steps) == profile.flops
    for step in report.steps:
        moved = step.read_nbytes + step.written_nbytes
        assert step.gbytes_per_second == pytest.approx(moved / step.seconds / 1e9)
        if step.flops:
            assert step.gflops_per_second == pytest.approx(step.flops / step.seconds / 1e9)
    assert report.run.seconds == pytest.approx(sum(s.seconds for s in report.steps))
    assert report.weights.resident_nbytes == plan.resident_nbytes


def test_every_step_names_what_it_reads_and_only_earlier_steps():
    report, _, _ = measured()
    assert [s.number for s in report.steps] == list(range(1, len(report.steps) + 1))
    for step in report.steps:
        assert all(read < step.number for read in step.reads)
        named = {int(n) for i in step.inputs for n in re.findall(r"^#(\d+)", i)}
        assert named == set(step.reads)
    read = {n for step in report.steps for n in step.reads}
    assert read == set(range(1, len(report.steps)))  # all but the last are used


def test_operations_of_a_product_equal_the_formula():
    arrays, random = Arrays(), np.random.default_rng(0)
    x = arrays.scan("x", random.standard_normal((6, 4)).astype("f4"))
    w = arrays.scan("w", random.standard_normal((4, 5)).astype("f4"))
    plan, profile = prepared(Map(Matmul(x, w), "relu"), arrays, rules=()), Profile()
    plan.run({}, {}, profile)
    report = report_plan(plan, "x@w", Setting({}), profile)
    product, relu = report.steps
    assert (product.operator, product.flops) == ("DenseGemm", 2 * 6 * 4 * 5)
    assert (product.read_nbytes, product.written_nbytes) == (4 * (6 * 4 + 4 * 5), 4 * 6 * 5)
    assert (product.pairs, product.launches, product.estimated_rows, product.rows) == (1, 1, 6, 6)
    assert relu.reads == (1,)


def test_missing_blocks_are_pairs_that_were_skipped():
    dense = np.zeros((4, 6), "f4")
    dense[:2, :2] = 1  # one of six 2×2 blocks
    arrays = Arrays()
    x = arrays.scan("x", dense, (2, 2), sparse=True)
    w = arrays.scan("w", np.ones((6, 4), "f4"), (2, 2))
    plan, profile = prepared(Matmul(x, w), arrays, rules=()), Profile()
    plan.run({}, {}, profile)
    (step,) = report_plan(plan, "x@w", Setting({}), profile).steps
    assert step.operator == "ContractBlocks"
    met = len(plan.joined[-1].rows[0])
    assert (step.pairs, step.pairs + step.skipped_pairs) == (met, 2 * 2 * 3)
    assert step.launches >= 1
    assert "block by block" in step.note


def test_blocks_that_are_filled_in_are_told():
    dense = np.zeros((4, 4), "f4")
    dense[:2] = 1
    arrays = Arrays()
    x = arrays.scan("x", dense, (2, 2), sparse=True)
    y = arrays.scan("y", np.zeros(4, "i4"), (2,))
    plan = prepared(SegmentAggregate(x, y, 2, "sum"), arrays, rules=())
    (step,) = report_plan(plan, "sum", Setting({})).steps
    assert plan.fills
    assert "zeros filled in: x: 2 of 4 blocks" in step.note
    assert step.estimated_blocks == 2


def test_panels_that_were_coalesced_count_as_pairs_of_one_launch():
    arrays, random = Arrays(), np.random.default_rng(0)
    x = arrays.scan("x", random.standard_normal((6, 4)).astype("f4"))
    w = arrays.scan("w", random.standard_normal((10, 4)).astype("f4"), (3, 4))
    plan = prepared(Matmul(x, w, transpose_right=True), arrays)
    (step,) = report_plan(plan, "x@w", Setting({})).steps
    assert (step.operator, step.pairs, step.launches) == ("DenseGemm", 4, 1)


def test_the_peak_counts_results_while_they_live_and_scratch():
    arrays = Arrays()
    x = arrays.scan("x", np.ones((8, 8), "f4"))
    plan = prepared(Map(Map(Map(x, "relu"), "tanh"), "relu"), arrays, rules=())
    profile = Profile()
    plan.run({}, {}, profile)
    scratch = [s.scratch_nbytes for s in report_plan(plan, "m", Setting({}), profile).steps]
    # The first result is alone; after that one is read while the next is made.
    expected = max(256 + scratch[0], 512 + scratch[1], 512 + scratch[2])
    assert profile.peak_nbytes == expected == plan.peak_nbytes({})


@pytest.mark.parametrize("block", [None, (3, 5), (64, 64)], ids=str)
def test_what_was_held_is_never_more_than_was_projected(block):
    encoder = bert_encoder([3, 1, 5], block)
    plan, profile = prepared(encoder.plan, encoder.arrays), Profile()
    plan.run(encoder.inputs, encoder.sizes, profile)
    assert 0 < profile.peak_nbytes <= plan.peak_nbytes(encoder.sizes)


def test_the_roofline_says_which_ceiling_is_met_first():
    report, _, _ = measured()
    run = report.run
    assert (run.gflops_ceiling, run.gbytes_ceiling) == (80.0, 15.0)  # of two workers, each
    for step in report.steps:
        compute = step.flops / 80e9
        moved = step.read_nbytes + step.written_nbytes
        memory = moved / 40e9  # of one run, it is less than the larger size
        assert moved / run.runs < 1 << 30
        assert step.limited_by == ("compute" if compute >= memory else "cache")
        assert step.ceiling_share == pytest.approx(max(compute, memory) / step.seconds)


def test_arrays_larger_than_the_caches_move_at_the_rate_of_memory():
    small = replace(CEILINGS, moves={1: Rates(40.0, 80.0), 64: Rates(20.0, 30.0)})
    report, _, _ = measured(small)
    moving = [step for step in report.steps if step.limited_by != "compute"]
    assert moving
    for step in moving:
        moved = step.read_nbytes + step.written_nbytes
        assert step.limited_by == "memory"
        assert step.ceiling_share == pytest.approx(moved / 15e9 / step.seconds)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_packed_products_are_compared_with_their_own_precision(precision):
    pytest.importorskip("numba")
    if ("jit", precision) not in available("jit"):
        pytest.skip(f"this processor does not multiply {precision}")
    own = {"jit float32": Rates(70.0, 120.0)}
    if precision != "float32":
        own[f"jit {precision}"] = Rates(300.0, 500.0)
    expected = 60.0 if precision == "float32" else 250.0
    report = on_jit(precision, replace(CEILINGS, products={**CEILINGS.products, **own}))
    assert (report.run.gflops_ceiling, report.run.precision) == (expected, precision)
    own_kinds = ["LinearGemm", "DenseGemm"]
    if precision == "bfloat16":
        own_kinds.append("SequenceAttention")  # beside bytes it is of bfloat16, not measured here
    by_weights = [step for step in report.steps if step.operator in own_kinds]
    assert {step.operator for step in by_weights} == {*own_kinds}
    for step in report.steps:
        # What is not packed may be compiled (60 of each worker) or NumPy's (80): the faster.
        gflops = expected if step in by_weights else 80.0
        compute = step.flops / gflops / 1e9
        memory = (step.read_nbytes + step.written_nbytes) / 40e9
        assert step.ceiling_share == pytest.approx(max(compute, memory) / step.seconds)


def test_a_plan_without_packed_weights_has_the_ceiling_of_float32_whatever_the_precision():
    pytest.importorskip("numba")
    if ("jit", "int8") not in available("jit"):
        pytest.skip("this processor does not multiply bytes")
    own = {"jit float32": Rates(70.0, 120.0), "jit int8": Rates(300.0, 500.0)}
    ceilings = replace(CEILINGS, products={**CEILINGS.products, **own})
    encoder = bert_encoder([3, 1, 5], (3, 5))
    backend = open_backend("jit", precision="int8")
    plan, profile = prepared(encoder.plan, encoder.arrays, backend=backend), Profile()
    plan.run(encoder.inputs, encoder.sizes, profile)
    setting = Setting(encoder.sizes, workers=2, ceilings=ceilings)
    run = report_plan(plan, "j", setting, profile).run
    assert (run.precision, run.gflops_ceiling) == ("float32", 80.0)  # NumPy's: the faster


def on_jit(precision, ceilings):
    """A small BERT on device jit, run once: its report."""
    encoder = bert_encoder([3, 1, 5], None)
    backend = open_backend("jit", precision=precision)
    physical = pack_weights(lower(optimize(encoder.plan)), backend.packs)
    plan, profile = prepare(physical, backend, encoder.arrays), Profile()
    plan.run(encoder.inputs, encoder.sizes, profile)
    return report_plan(plan, "j", Setting(encoder.sizes, workers=2, ceilings=ceilings), profile)


def test_a_device_that_was_not_measured_has_no_ceilings():
    pytest.importorskip("numba")
    report = on_jit("float32", CEILINGS)
    assert report.run.gflops_ceiling is None
    assert report.run.ceilings_note.startswith(machine.NOT_MEASURED)
    assert all(s.ceiling_share is None and s.limited_by is None for s in report.steps)


def step(operator, detail, seconds, share, reached=None, limit=None):
    return StepReport(
        1, operator, detail, (), (), "", "numpy", "", 1, 1,
        seconds=seconds, share=share, ceiling_share=reached, limited_by=limit,
    )  # fmt: skip


def test_the_limiting_operator_is_that_of_the_largest_share_over_all_layers():
    steps = [
        step("LinearGemm", "bias, gelu", 2.0, 0.2, 0.9, "compute"),
        step("SequenceAttention", "", 3.0, 0.3, 0.5, "compute"),
        step("LinearGemm", "bias, gelu", 4.0, 0.4, 0.6, "compute"),
        step("LinearGemm", "bias", 1.0, 0.1, 0.9, "compute"),
    ]
    # 0.9 · 2 s + 0.6 · 4 s of 6 s
    expected = "limited by LinearGemm (bias, gelu), 2 steps: 60% of the time, at 70% of its compute"
    assert limit_text(steps) == f"{expected} ceiling"
    (alone,) = limit_text(steps[1:2]).splitlines()
    assert alone == "limited by SequenceAttention: 30% of the time, at 50% of its compute ceiling"


def test_text_and_page_name_the_limiting_operator():
    report, _, _ = measured()
    line = limit_text(report.steps)
    assert re.fullmatch(r"limited by \w+.*: \d+% of the time, at \d+% of its \w+ ceiling", line)
    assert line in to_text(whole(report)).splitlines()
    assert f"<p>{line}</p>" in to_html(whole(report))


def test_without_ceilings_the_limiting_operator_is_still_named():
    assert limit_text([step("ZipBlocks", "add", 1.0, 1.0)]) == (
        "limited by ZipBlocks (add): 100% of the time"
    )
    assert limit_text([]) == ""
    assert limit_text([step("ZipBlocks", "add", None, None)]) == ""


def test_without_ceilings_the_text_says_how_to_measure_them():
    report, _, _ = measured(ceilings=None)
    text = to_text(whole(report))
    assert "ceilings not measured: gpudb doctor --measure" in text
    assert "of ceiling" not in text
    assert all(s.ceiling_share is None and s.limited_by is None for s in report.steps)


def test_the_null_device_has_no_ceilings():
    encoder = bert_encoder([3], None)
    plan, profile = prepared(encoder.plan, encoder.arrays, backend=NullBackend()), Profile()
    plan.run(encoder.inputs, encoder.sizes, profile)
    run = report_plan(plan, "n", Setting({}, ceilings=CEILINGS), profile).run
    assert (run.gflops_ceiling, "null" in run.ceilings_note) == (None, True)


def test_the_text_fits_a_terminal_and_leaves_out_what_says_nothing():
    report, _, _ = measured()
    lines = to_text(whole(report)).splitlines()
    head = next(line for line in lines if line.lstrip().startswith("#  operator"))
    for word in ("reads", "rows", "pairs", "calls", "seconds", "share", "GB/s", "of ceiling"):
        assert word in head
    assert "skipped" not in head
    steps = lines[lines.index(head) : lines.index(head) + 1 + len(report.steps)]
    assert max(map(len, steps)) <= 160
    assert "note: auto -> numpy: no CUDA backend in this version" in lines
    assert any(line.startswith("note: inserted because the step that reads") for line in lines)
    assert lines[-1] == "18 tokens"


def test_a_plan_that_has_not_run_has_no_measured_columns():
    encoder = bert_encoder([3, 1], None)
    plan = prepared(encoder.plan, encoder.arrays)
    report = report_plan(plan, "n", Setting(encoder.sizes))
    text = to_text(Report("n", plans=(report,)))
    assert "seconds" not in text.partition("operator")[2]
    assert "est. rows" in text
    assert report.run is None
    assert all(s.seconds is None and s.estimated_rows for s in report.steps)


def test_a_report_survives_json():
    report = whole(measured()[0])
    text = to_json(report)
    assert from_json(text) == report
    assert to_json(from_json(text)) == text
    content = json.loads(text)
    assert content["version"] == 1
    assert list(content) == ["title", "statement", "parts", "plans", "seconds", "version"]
    assert {"operator", "flops", "share", "limited_by"} <= set(content["plans"][0]["steps"][0])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: "nonsense",
        lambda c: "[]",
        lambda c: json.dumps({**c, "version": 2}),
        lambda c: json.dumps({k: v for k, v in c.items() if k != "plans"}),
        lambda c: json.dumps({**c, "more": 1}),
        lambda c: json.dumps({**c, "plans": [{}]}),
    ],
)
def test_json_that_is_no_report_is_refused(spoil):
    content = json.loads(to_json(whole(measured()[0])))
    with pytest.raises(InputError, match="report"):
        from_json(spoil(content))
