"""A plan predicted: what is counted, and how the numbers hang together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import gpudb
from gpudb.errors import InputError, UnsupportedError
from gpudb.exec.graph import Step, order_steps
from gpudb.lower import lower
from gpudb.models.architecture import SEQUENCES
from gpudb.models.batches import sizes_of_lengths
from gpudb.plan.fused import Linear
from gpudb.plan.node import Node
from gpudb.plan.rules import RULES, Rule, optimize
from gpudb.plan.sequence import Normalize, Pool
from gpudb.plan.tensor import Input, Scan
from gpudb.predict import GPUS, Prediction, Setting, predict
from gpudb.predict.model import GRAPH_START, HOST_LAUNCH, work_seconds
from gpudb.types import TensorSchema
from tests.tiny_plans import bert_encoder, torch_encoder

A100 = Setting(GPUS["a100-80gb"], "float16")
LENGTHS = np.array([7, 1, 30])


def steps_of(plan: Node, rules: tuple[Rule, ...] = RULES) -> tuple[Step, ...]:
    return order_steps(lower(optimize(plan, rules)))


def encoder(layers: int = 3) -> Node:
    hidden = bert_encoder([2], num_hidden_layers=layers).plan
    return Normalize(Pool(hidden, SEQUENCES, "mean"), 1e-12)


def predicted(
    plan: Node, setting: Setting = A100, lengths: np.ndarray = LENGTHS, **rules: tuple[Rule, ...]
) -> Prediction:
    return predict(steps_of(plan, **rules), sizes_of_lengths(lengths), setting)


def linear(activation: str | None) -> Node:
    x = Input(TensorSchema("x", ("tokens", 5), ("tokens", 5)))
    weight, bias = (Scan(TensorSchema.one_block(n, s)) for n, s in (("w", (3, 5)), ("b", (3,))))
    return Linear(x, weight, bias, activation)


@pytest.mark.parametrize(("precision", "itemsize"), [("float32", 4), ("tf32", 4), ("float16", 2)])
def test_a_linear_step_by_hand(precision: str, itemsize: int) -> None:
    setting = replace(A100, precision=precision)
    (step,) = predicted(linear("gelu"), setting).steps
    tokens = 38
    out, read = 3 * tokens, 5 * tokens + 15
    assert step.launches == 2
    assert step.flops == 2 * 15 * tokens + out
    assert step.least_nbytes == itemsize * (read + 3 + out)
    # Written by the product; read and written once more by bias and function.
    assert step.moved_nbytes == itemsize * (read + out + 2 * out + 3)
    assert step.has_product
    product, epilogue = steps_of(linear("gelu"))[-1].op.launches({"tokens": tokens})
    if itemsize == 4:
        work = work_seconds(product, setting) + work_seconds(epilogue, setting)
        assert step.seconds == pytest.approx(2 * GRAPH_START + work)


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_a_bert_layer_is_eight_launches(layers: int) -> None:
    p = predicted(encoder(layers))
    assert p.launches_per_layer == 8
    assert p.launches == 8 * layers + 2  # embeddings and pooling
    assert predicted(encoder(1)).launches_per_layer is None


def test_without_the_bias_in_attention_it_is_nine() -> None:
    rules = tuple(rule for rule in RULES if rule.__name__ != "fuse_attention_bias")
    p = predicted(encoder(), rules=rules)
    assert p.launches_per_layer == 9
    assert p.seconds > predicted(encoder()).seconds


def test_views_inputs_and_stored_tensors_launch_nothing() -> None:
    names = {step.operator for step in predicted(encoder()).steps}
    assert names == {
        "EmbeddingNormRows", "DenseGemm", "SequenceAttention", "ResidualNormRows",
        "LinearGemm", "PoolRows",
    }  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "plan", [encoder(), torch_encoder([2], norm_first=True, final_norm=True).plan]
)
def test_no_kernel_of_ours_moves_more_than_a_tenth_above_the_least(
    plan: Node, precision: str
) -> None:
    p = predicted(plan, replace(A100, precision=precision))
    ours = [step for step in p.steps if not step.has_product]
    assert len(ours) > 5
    assert max(step.moved_share for step in ours) <= 1.1


def test_launches_count_the_operations_of_their_operator() -> None:
    sizes = sizes_of_lengths(LENGTHS)
    for step in steps_of(encoder()):
        launches = step.op.launches(sizes)
        if launches:
            assert sum(launch.flops for launch in launches) == step.op.cost(sizes).flops


@pytest.mark.parametrize("name", GPUS)
def test_more_tokens_never_take_less_time(name: str) -> None:
    setting = Setting(GPUS[name], "float16")
    steps = steps_of(encoder())
    for lengths in (np.full(n, length) for n in (1, 40) for length in (1, 63, 128)):
        before = predict(steps, sizes_of_lengths(lengths), setting).seconds
        for longer in (lengths + 1, np.append(lengths, 1)):
            assert predict(steps, sizes_of_lengths(longer), setting).seconds >= before


def test_half_the_bytes_and_tensor_cores_are_faster() -> None:
    lengths = np.full(500, 128)
    float32, tf32, half = (
        predicted(encoder(), replace(A100, precision=p), lengths)
        for p in ("float32", "tf32", "bfloat16")
    )
    assert float32.seconds >= tf32.seconds > half.seconds
    moved = [sum(s.moved_nbytes for s in p.steps) for p in (tf32, half)]
    assert moved[1] == pytest.approx(moved[0] / 2, rel=0.05)  # row numbers stay as they are


def test_nothing_beats_the_roofline_and_the_rate_is_that_of_its_seconds() -> None:
    p = predicted(encoder(), lengths=np.full(1000, 100))
    assert all(0 < s.least_seconds < s.seconds for s in p.steps)
    assert 0 < p.roofline_share < 1
    assert p.tokens_per_second == pytest.approx(100_000 / p.seconds)
    assert p.seconds == pytest.approx(sum(s.seconds for s in p.steps))


def test_short_kernels_wait_for_the_host_without_a_graph() -> None:
    p = predicted(encoder(), replace(A100, graph=False))
    assert p.seconds == pytest.approx(p.launches * HOST_LAUNCH)
    assert p.seconds > predicted(encoder()).seconds


def test_a_batch_without_tokens_has_no_rate() -> None:
    p = predicted(encoder(), lengths=np.zeros(0, np.int64))
    assert p.tokens_per_second == 0


def test_a_stored_model_is_predicted_without_reading_its_weights(tmp_path, minilm_folder) -> None:
    with gpudb.connect(str(tmp_path / "m"), device="null") as db:
        db.import_model(minilm_folder, "minilm")
        p = db.predict("minilm", [55] * 300, gpu="l4", precision="bfloat16")
        assert p.launches_per_layer == 8
        assert p.sizes["tokens"] == 300 * 55
        assert p.setting == Setting(GPUS["l4"], "bfloat16")
        assert db.predict("minilm", [9], gpu="l4", graph=False).seconds > p.launches * 9e-6
        for lengths in ([0], [3, -1], [[1]], [1.5], ["a"]):
            with pytest.raises(InputError, match="lengths"):
                db.predict("minilm", lengths)
        with pytest.raises(UnsupportedError, match="t4 has no"):
            db.predict("minilm", [5], gpu="t4", precision="tf32")
        with pytest.raises(InputError, match="no GPU 'rtx'"):
            db.predict("minilm", [5], gpu="rtx")
