"""Weights in ONNX files of PyTorch's exporters and of optimum, against the model they came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.models.architectures import find_architecture
from gpudb.models.formats.onnx import find_onnx, read_onnx
from gpudb.types import HostArray
from tests.oracles.conftest import Report
from tests.oracles.imported import CONFIG, LARGEST, largest_difference, write_config
from tests.oracles.onnx_exports import Export, export_dynamo, export_optimum, export_script
from tests.oracles.parity import randomized

# The exporters warn: one is deprecated, both trace Python code.
pytestmark = [pytest.mark.formats, pytest.mark.filterwarnings("ignore")]

EXPORTS = {"script": export_script, "dynamo": export_dynamo, "optimum": export_optimum}


def bert() -> Any:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    return transformers.BertModel(transformers.BertConfig(**CONFIG)).eval()


def tokens(*, types: bool = False) -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    ids = torch.randint(4, 31, (2, 7))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return inputs | ({"token_type_ids": torch.zeros_like(ids)} if types else {})


def hidden_states(model: Any) -> Callable[[HostArray, HostArray], HostArray]:
    import torch

    def hidden(ids: HostArray, types: HostArray) -> HostArray:
        with torch.inference_mode():
            found = model(input_ids=torch.tensor(ids), token_type_ids=torch.tensor(types))
        return np.asarray(found.last_hidden_state)

    return hidden


def encoder_weights(model: Any) -> dict[str, HostArray]:
    found = {name: weight.numpy() for name, weight in model.state_dict().items()}
    return {name: weight for name, weight in found.items() if not name.startswith("pooler")}


@pytest.mark.parametrize("trained", [True, False], ids=["trained", "untrained"])
@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_hidden_states_are_those_of_pytorch(
    export: Export, trained: bool, tmp_path: Path, report: Report
) -> None:
    # Before training all biases are zeros, all scales ones: exporters store them once.
    model = randomized(bert(), 3) if trained else bert()
    export(model, tokens(types=True), write_config(tmp_path) / "model.onnx")
    difference = largest_difference(tmp_path, encoder_weights(model), hidden_states(model), "ONNX")
    report(f"{difference:.2e}")
    assert difference <= LARGEST


def test_minilm(minilm_folder: Path, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(minilm_folder).eval()
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((minilm_folder / name).read_bytes())
    (tmp_path / "onnx").mkdir()  # as in folders of sentence-transformers
    export_script(model, tokens(types=True), tmp_path / "onnx" / "model.onnx")
    ids = np.random.default_rng(5).integers(0, model.config.vocab_size, (1, 40))
    with gpudb.connect(device="numpy") as db:
        assert db.import_model(tmp_path, "exported").format == "ONNX"
        assert db.import_model(minilm_folder, "original").new_nbytes == 0  # the same bits
        found, _ = db.infer("exported", {"token_ids": ids[0]}, np.array([0, 40]))
    difference = np.abs(found - hidden_states(model)(ids, 0 * ids)[0]).max()
    report(f"{difference:.2e}")
    assert difference <= LARGEST


SMALL = {
    "vocab_size": 31,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "BertForMaskedLM": ("BertConfig", {}),
    "RobertaModel": ("RobertaConfig", {}),
    "DistilBertModel": ("DistilBertConfig", {"dim": 16, "hidden_dim": 24, "n_layers": 2}),
    "AlbertModel": ("AlbertConfig", {"embedding_size": 8}),
    "ElectraModel": ("ElectraConfig", {"embedding_size": 8}),
    "MPNetModel": ("MPNetConfig", {}),
    "ModernBertModel": ("ModernBertConfig", {}),
    "CLIPTextModel": ("CLIPTextConfig", {}),
    "ViTModel": ("ViTConfig", {"image_size": 8, "patch_size": 4}),
    "T5EncoderModel": ("T5Config", {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2}),
}
SLOWLY = ("BertForMaskedLM", "AlbertModel")
"""Exported by the slower exporter as well: a tied head, layers that share weights."""


@pytest.mark.parametrize(
    ("task", "export"),
    [(task, export_script) for task in MODELS] + [(task, export_dynamo) for task in SLOWLY],
)
def test_each_architecture_has_pytorchs_names_and_bits(
    task: str, export: Export, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    config, more = MODELS[task]
    model = getattr(transformers, task)(getattr(transformers, config)(**SMALL | more))
    randomized(model, 4)
    image = {"pixel_values": torch.randn(2, 3, 8, 8)}
    export(model, image if task == "ViTModel" else tokens(), tmp_path / "model.onnx")
    _check_same(tmp_path / "model.onnx", model)


@pytest.mark.parametrize(
    ("task", "config", "sizes"),
    [
        (
            "T5ForConditionalGeneration",
            "T5Config",
            {"d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2},
        ),
        (
            "BartModel",
            "BartConfig",
            {
                "encoder_layers": 2,
                "decoder_layers": 1,
                "encoder_attention_heads": 2,
                "decoder_attention_heads": 2,
                "encoder_ffn_dim": 24,
                "decoder_ffn_dim": 24,
                "max_position_embeddings": 20,
            },
        ),
    ],
)
def test_the_encoder_of_a_model_with_a_decoder(
    task: str, config: str, sizes: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("optimum.exporters.onnx", reason="optimum-onnx")
    transformers = pytest.importorskip("transformers")
    settings = getattr(transformers, config)(
        vocab_size=31, d_model=16, decoder_start_token_id=0, **sizes
    )
    export_optimum(
        getattr(transformers, task)(settings),
        {},
        tmp_path / "model.onnx",
        task="text2text-generation",
    )
    file = find_onnx(tmp_path, frozenset(entry.name for entry in tmp_path.iterdir()))
    assert file == tmp_path / "encoder_model.onnx"
    architecture = find_architecture(settings.to_dict())
    found = {architecture.rename(name): weight.shape for name, weight in read_onnx(file).items()}
    assert found == architecture.weights(settings.to_dict())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types(dtype: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = randomized(bert(), 3).to(getattr(torch, dtype))
    export_script(model, tokens(), tmp_path / "model.onnx")
    _check_same(tmp_path / "model.onnx", model)


@pytest.mark.parametrize("together", [True, False])
def test_data_beside_the_model(together: bool, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = randomized(bert(), 3)
    export_script(model, tokens(), tmp_path / "inside.onnx")
    onnx.save_model(
        onnx.load(tmp_path / "inside.onnx"),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=together,
        location="model.onnx_data" if together else None,
        size_threshold=0,
    )
    _check_same(tmp_path / "model.onnx", model)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_numbers_one_by_one(dtype: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    torch = pytest.importorskip("torch")
    model = randomized(bert(), 3).to(getattr(torch, dtype))
    export_script(model, tokens(), tmp_path / "raw.onnx")
    written = onnx.load(tmp_path / "raw.onnx")
    for tensor in written.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        numbers = values.ravel().tolist()
        tensor.CopyFrom(
            onnx.helper.make_tensor(tensor.name, tensor.data_type, values.shape, numbers)
        )
    onnx.save(written, tmp_path / "model.onnx")
    _check_same(tmp_path / "model.onnx", model)


def _check_same(file: Path, model: Any) -> None:
    """The file has each weight of the model, with the same bits, and nothing else."""
    import torch

    found = read_onnx(file)
    expected = model.state_dict()
    assert found.keys() <= expected.keys()
    # A tensor with two names may have kept one of them.
    there = {expected[name].data_ptr() for name in found}
    assert there == {weight.data_ptr() for weight in expected.values()}
    for name in found:
        weight = expected[name]
        bits = weight.view(torch.uint16) if weight.dtype == torch.bfloat16 else weight
        np.testing.assert_array_equal(found[name].array(), bits.numpy(), strict=True)
        assert found[name].dtype == str(weight.dtype).removeprefix("torch.")
