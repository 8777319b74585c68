from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.checkpoint import EmbedFunction, read_checkpoint
from gpudb.models.tokenizer import TextTokenizer

OLD = "sentence_transformers.models."
NEW = {
    "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
    "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    "Normalize": "sentence_transformers.base.modules.normalize.Normalize",
}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "Hello"]


def put(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plain Hugging Face folder."""
    put(tmp_path / "config.json", {"model_type": "bert", "hidden_size": 4})
    put(tmp_path / "vocab.txt", "\n".join(VOCABULARY) + "\n")
    save_file({"w": np.ones((2, 4), np.float32)}, tmp_path / "model.safetensors")
    return tmp_path


def put_modules(folder: Path, *types: str, pooling: object = None, encoder: str = "") -> None:
    paths = {"Transformer": encoder, "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    put(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": paths.get(t.rpartition(".")[2], "x"), "type": t}
            for i, t in enumerate(types)
        ],
    )
    put(folder / "1_Pooling" / "config.json", pooling or {"pooling_mode": "mean"})


def test_plain_folder(folder: Path) -> None:
    checkpoint = read_checkpoint(str(folder))
    assert checkpoint.folder == folder
    assert checkpoint.config == {"model_type": "bert", "hidden_size": 4}
    assert checkpoint.weights["w"].array().tolist() == [[1] * 4] * 2
    assert checkpoint.function == EmbedFunction("mean", False, None, "")
    assert checkpoint.tokenizer_json is not None


def test_minilm(minilm_folder: Path) -> None:
    checkpoint = read_checkpoint(minilm_folder)
    assert checkpoint.function == EmbedFunction("mean", True, 256, "")
    assert checkpoint.config["num_hidden_layers"] == 6
    assert len(checkpoint.weights) == 104
    assert checkpoint.weights["embeddings.word_embeddings.weight"].shape == (30522, 384)


def test_weights_cannot_be_changed(folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    with pytest.raises(TypeError):
        checkpoint.weights["v"] = checkpoint.weights["w"]  # type: ignore[index]


def test_no_tokenizer_is_none(folder: Path) -> None:
    (folder / "vocab.txt").unlink()
    assert read_checkpoint(folder).tokenizer_json is None


@pytest.mark.parametrize("name", ["config.json", "modules.json", "tokenizer_config.json"])
@pytest.mark.parametrize("text", ["", "{", "3", "null", '"x"', "[" * 100_000, "\ufeff{}"])
def test_broken_json(folder: Path, name: str, text: str) -> None:
    put(folder / name, text)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(folder)
    assert str(folder / name) in str(caught.value)


def test_not_utf8(folder: Path) -> None:
    (folder / "config.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(CheckpointError, match=r"config.json: byte 7 is not UTF-8"):
        read_checkpoint(folder)


def test_missing_files(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        read_checkpoint(folder / "nothing")
    with pytest.raises(CheckpointError, match="found a file"):
        read_checkpoint(folder / "config.json")
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config.json"):
        read_checkpoint(folder)
    (folder / "config.json").mkdir()
    with pytest.raises(CheckpointError, match=r"config.json: cannot be read"):
        read_checkpoint(folder)


@pytest.mark.parametrize("prefix", ["old", "new"])
@pytest.mark.parametrize("normalize", [True, False])
def test_modules_go_by_the_last_part_of_their_type(
    folder: Path, prefix: str, normalize: bool
) -> None:
    kinds = ["Transformer", "Pooling", "Normalize"][: 3 if normalize else 2]
    put_modules(folder, *(NEW[k] if prefix == "new" else OLD + k for k in kinds))
    assert read_checkpoint(folder).function == EmbedFunction(normalize=normalize)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode": "mean", "embedding_dimension": 4, "include_prompt": True}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "max"}, "max"),
        ({"pooling_mode": ["cls"]}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode": "cls", "pooling_mode_mean_tokens": True}, "cls"),
        ({"word_embedding_dimension": 4}, "mean"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "weightedmean"}, "rising_mean"),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, "root_mean"),
    ],
)
def test_pooling(folder: Path, pooling: object, expected: str) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling", pooling=pooling)
    assert read_checkpoint(folder).function.pooling == expected


@pytest.mark.parametrize(
    "pooling",
    [
        {"pooling_mode": "attention"},
        {"pooling_mode": ["cls", "mean"]},
        {"pooling_mode": 5},
        {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
    ],
)
def test_other_poolings_are_refused(folder: Path, pooling: object) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling", pooling=pooling)
    with pytest.raises(UnsupportedError, match="one of mean, cls, max"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    "kinds",
    [
        ["Transformer", "Dense", "Pooling"],
        ["Transformer", "Pooling", "Normalize", "Dense"],
        ["Transformer", "CNN", "Pooling"],
        ["Transformer"],
        ["Pooling", "Transformer"],
        ["Transformer", "Pooling", "Normalize", "Normalize"],
        [],
    ],
)
def test_other_modules_are_refused(folder: Path, kinds: list[str]) -> None:
    put_modules(folder, *(OLD + kind for kind in kinds))
    with pytest.raises(UnsupportedError, match="Transformer, Pooling and optionally Normalize"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "a.Transformer"},
        {"path": ""},
        {"type": 3, "path": ""},
        {"type": "a.Transformer", "path": "../other"},
        {"type": "a.Transformer", "path": "/tmp"},
        {"type": "a.Transformer", "path": "a\0b"},
    ],
)
def test_modules_without_usable_type_and_path(folder: Path, entry: object) -> None:
    put(folder / "modules.json", [entry])
    with pytest.raises(CheckpointError, match="no usable type and path"):
        read_checkpoint(folder)


def test_missing_pooling_settings(folder: Path) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling")
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"1_Pooling.config\.json: cannot be read"):
        read_checkpoint(folder)


def test_encoder_in_its_own_folder(folder: Path) -> None:
    inner = folder / "0_Transformer"
    inner.mkdir()
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        (folder / name).rename(inner / name)
    put_modules(folder, OLD + "Transformer", OLD + "Pooling", encoder="0_Transformer")
    put(inner / "sentence_bert_config.json", {"max_seq_length": 9})
    checkpoint = read_checkpoint(folder)
    assert checkpoint.folder == folder
    assert checkpoint.function.max_tokens == 9
    assert list(checkpoint.weights) == ["w"]


@pytest.mark.parametrize(
    ("sentence", "tokenizer", "expected"),
    [
        ({"max_seq_length": 128}, {"model_max_length": 512}, 128),
        ({"max_seq_length": None}, {"model_max_length": 512}, 512),
        ({}, {"model_max_length": 256}, 256),
        ({}, {"model_max_length": 10**30}, None),
        ({}, {"model_max_length": 1e30}, None),
        ({}, {}, None),
        (None, None, None),
    ],
)
def test_max_tokens(folder: Path, sentence: Any, tokenizer: Any, expected: int | None) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling")
    if sentence is not None:
        put(folder / "sentence_bert_config.json", sentence)
        put(folder / "tokenizer_config.json", tokenizer)
    assert read_checkpoint(folder).function.max_tokens == expected


@pytest.mark.parametrize("found", [0, -1, "128", 1.5, True, [1]])
def test_max_tokens_that_are_none(folder: Path, found: object) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling")
    put(folder / "sentence_roberta_config.json", {"max_seq_length": found})
    with pytest.raises(CheckpointError, match="max_seq_length is"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"prompts": {"query": "q: "}, "default_prompt_name": "query"}, "q: "),
        ({"prompts": {"query": "q: "}, "default_prompt_name": None}, ""),
        ({"prompts": {"query": "q: "}}, ""),
        ({}, ""),
    ],
)
def test_prompt(folder: Path, settings: object, expected: str) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling")
    put(folder / "config_sentence_transformers.json", settings)
    assert read_checkpoint(folder).function.prompt == expected


@pytest.mark.parametrize("prompts", [{"q": 3}, ["x"], "x"])
def test_prompts_that_are_no_texts(folder: Path, prompts: object) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling")
    put(folder / "config_sentence_transformers.json", {"prompts": prompts})
    with pytest.raises(CheckpointError, match="expected an object of texts"):
        read_checkpoint(folder)


@pytest.mark.parametrize("prompts", [{}, None, {"x": 3}, ["x"]])
def test_prompt_that_is_none(folder: Path, prompts: object) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling")
    put(
        folder / "config_sentence_transformers.json",
        {"prompts": prompts, "default_prompt_name": "x"},
    )
    with pytest.raises(CheckpointError, match="default_prompt_name is 'x'"):
        read_checkpoint(folder)


def test_prompt_left_out_of_the_pooling(folder: Path) -> None:
    pooling = {"pooling_mode": "mean", "include_prompt": False}
    put_modules(folder, OLD + "Transformer", OLD + "Pooling", pooling=pooling)
    assert read_checkpoint(folder).function.prompt == ""
    put(
        folder / "config_sentence_transformers.json",
        {"prompts": {"q": "q: "}, "default_prompt_name": "q"},
    )
    with pytest.raises(UnsupportedError, match="include_prompt is false"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}),
        ("sentence_bert_config.json", {"query_expansion": {"length": 32}}),
        ("2_Normalize/config.json", {"module_input_name": "token_embeddings"}),
    ],
)
def test_settings_that_change_the_result(folder: Path, name: str, settings: object) -> None:
    put_modules(folder, *(NEW.values()))
    put(folder / name, settings)
    with pytest.raises(UnsupportedError, match="gpudb computes only"):
        read_checkpoint(folder)


@pytest.mark.parametrize("lower", [True, False])
def test_lower_case_is_in_the_tokenizer(folder: Path, lower: bool) -> None:
    put_modules(folder, OLD + "Transformer", OLD + "Pooling")
    put(folder / "tokenizer_config.json", {"do_lower_case": False})
    put(folder / "sentence_bert_config.json", {"do_lower_case": lower})
    text = read_checkpoint(folder).tokenizer_json
    assert text is not None
    expected = VOCABULARY.index("hello" if lower else "Hello")
    assert TextTokenizer(text).encode(["Hello"]).values.tolist() == [2, expected, 3]


@pytest.mark.oracle
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_what_sentence_transformers_saves(
    minilm_folder: Path, tmp_path: Path, pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # transformers looks for Hugging Face's kernels and would find our folder of that name.
    monkeypatch.setitem(sys.modules, "kernels", None)
    pytest.importorskip("torch")
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(
        str(minilm_folder),
        device="cpu",
        prompts={"query": "query: "},
        default_prompt_name="query",
    )
    model.max_seq_length = 77
    model[1] = type(model[1])(384, pooling)
    model.save(str(tmp_path), create_model_card=False)
    checkpoint = read_checkpoint(tmp_path)
    function = checkpoint.function
    assert function.prompts["query"] == "query: "
    assert replace(function, prompts={}) == EmbedFunction(pooling, True, 77, "query: ")
    state = model[0].auto_model.state_dict()
    for name, weight in checkpoint.weights.items():
        np.testing.assert_array_equal(weight.array(), state[name].numpy())
    text = checkpoint.tokenizer_json
    assert text is not None
    long = "Sphinx of black quartz " * 40
    ids = TextTokenizer(text, checkpoint.function.max_tokens).encode([long]).values
    assert ids.tolist() == model.tokenizer(long, truncation=True).input_ids


def test_a_cross_encoder_is_a_transformer_alone(folder: Path) -> None:
    put_modules(folder, NEW["Transformer"])
    task = {"transformer_task": "sequence-classification", "module_output_name": "scores"}
    put(folder / "sentence_bert_config.json", {**task, "max_seq_length": 9})
    checkpoint = read_checkpoint(folder)
    assert (checkpoint.function.max_tokens, checkpoint.activation) == (9, None)
    settings = folder / "config_sentence_transformers.json"
    put(settings, {"activation_fn": "torch.nn.Identity"})
    assert read_checkpoint(folder).activation == "torch.nn.Identity"
    put(settings, {"prompts": {"q": "q: "}, "default_prompt_name": "q"})
    with pytest.raises(UnsupportedError, match="default prompt is 'q: '; gpudb scores pairs"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "modules Transformer alone, without a transformer_task"),
        ({"transformer_task": "feature-extraction"}, "computes only 'sequence-classification'"),
        (
            {"transformer_task": "sequence-classification", "module_output_name": "x"},
            "module_output_name is 'x'",
        ),
    ],
)
def test_other_transformers_alone_are_refused(
    folder: Path, settings: dict[str, str], message: str
) -> None:
    put_modules(folder, NEW["Transformer"])
    put(folder / "sentence_bert_config.json", settings)
    with pytest.raises(UnsupportedError, match=message):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("config", "mask", "types"),
    [
        ({}, "[MASK]", True),
        ({"mask_token": "<mask>", "model_input_names": ["input_ids"]}, "<mask>", False),
        ({"mask_token": {"content": "<m>"}, "model_input_names": ["token_type_ids"]}, "<m>", True),
    ],
)
def test_what_a_head_wants_of_the_tokenizer(
    folder: Path, config: dict[str, object], mask: str, types: bool
) -> None:
    put(folder / "tokenizer_config.json", config)
    checkpoint = read_checkpoint(folder)
    assert (checkpoint.mask_token, checkpoint.pair_types) == (mask, types)
