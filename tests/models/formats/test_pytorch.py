"""PyTorch's files, written by hand: what is read, what is refused, and that nothing is run."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpudb
from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.opening import open_weights
from gpudb.models.formats.pytorch import read_pytorch
from tests.models.formats.torch_writer import (
    HELD,
    KINDS,
    NUMBERS,
    READ_ONLY,
    WRITERS,
    Call,
    Named,
    Outside,
    Write,
    pickled,
    random_array,
    state_dict,
    tensor,
    write_legacy,
    write_zip,
)
from tests.tiny_model import tiny_weights, write_tiny_model

pytestmark = pytest.mark.usefixtures("nothing_runs")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pytorch_model.bin"


@WRITERS
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.tuples(st.sampled_from(sorted(KINDS)), st.lists(st.integers(0, 4), max_size=4)),
        max_size=4,
    )
)
def test_any_tensors(file: Path, write: Write, entries: dict[str, Any]) -> None:
    arrays = {n: (dtype, random_array(dtype, tuple(s))) for n, (dtype, s) in entries.items()}
    write(file, state_dict(arrays), [values for _, values in arrays.values()])
    weights = read_pytorch(file)
    assert list(weights) == list(arrays)
    for name, (dtype, values) in arrays.items():
        found = weights[name]
        assert (found.name, found.dtype, found.shape, found.file) == (
            name,
            dtype,
            values.shape,
            file,
        )
        assert found.array().tobytes() == values.tobytes()
        assert not found.array().flags.writeable


@WRITERS
def test_tensors_are_mapped_and_share_their_storage(file: Path, write: Write) -> None:
    value = {
        "whole": tensor(HELD, 0, (3, 4)),
        "row": tensor(HELD, 4, (4,)),
        "one": tensor(HELD, 11, ()),
        "odd strides of one row": tensor(HELD, 4, (1, 4), (999, 1)),
    }
    write(file, value, [NUMBERS])
    weights = read_pytorch(file)
    whole = weights["whole"].array()
    assert whole.tolist() == NUMBERS.reshape(3, 4).tolist()
    for name, expected in (("row", [4, 5, 6, 7]), ("one", 11)):
        assert weights[name].array().tolist() == expected
        assert np.shares_memory(weights[name].data, weights["whole"].data)
    assert np.shares_memory(weights["odd strides of one row"].data, weights["whole"].data)
    assert not whole.flags.owndata


def test_tensors_out_of_order_are_copied_into_order(file: Path) -> None:
    value = {
        "transposed": tensor(HELD, 0, (4, 3), (1, 4)),
        "tied": tensor(HELD, 0, (4, 3), (1, 4)),
        "every second": tensor(HELD, 1, (5,), (2,)),
        "none": tensor(HELD, 12, (0, 3), (7, 7)),
    }
    write_zip(file, value, [NUMBERS])
    weights = read_pytorch(file)
    assert weights["transposed"].array().tolist() == NUMBERS.reshape(3, 4).T.tolist()
    assert weights["every second"].array().tolist() == [1, 3, 5, 7, 9]
    assert weights["none"].array().shape == (0, 3)
    assert np.shares_memory(weights["transposed"].data, weights["tied"].data)
    with pytest.raises(ValueError, match="read-only"):
        weights["transposed"].array()[0, 0] = 1


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_parameters_ordered_dicts_and_their_attributes(file: Path, protocol: int) -> None:
    parameter = Call(Named("torch._utils._rebuild_parameter"), (READ_ONLY["a"], True, None))
    pairs = [["a", parameter]]  # as Python 2 wrote them
    value = Call(Named("collections.OrderedDict"), (pairs,))
    write_zip(file, value, [NUMBERS], protocol)
    assert read_pytorch(file)["a"].shape == (3, 4)
    content = pickled(value, protocol)
    assert content[-1:] == pickle.STOP
    attributes = content[:-1] + pickled({"_metadata": {}})[2:-1] + pickle.BUILD + pickle.STOP
    write_zip(file, attributes, [NUMBERS])
    assert read_pytorch(file)["a"].array().tolist() == NUMBERS.reshape(3, 4).tolist()


@pytest.mark.parametrize("key", ["state_dict", "model", "anything"])
def test_a_state_dict_in_a_dict(file: Path, key: str) -> None:
    others = {"epoch": 3, "loss": 0.5, "optimizer": {"state": {0: READ_ONLY}}, "none": {}}
    write_zip(file, {**others, key: READ_ONLY}, [NUMBERS])
    assert list(read_pytorch(file)) == ["a"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"model": READ_ONLY, "ema": READ_ONLY}, "tensors under 'model', 'ema'"),
        ({"model": READ_ONLY, **READ_ONLY}, "tensors under 'model', 'a'"),
        ({**READ_ONLY, "step": 3}, "'step' is not tensors"),
        ({**READ_ONLY, 3: READ_ONLY["a"]}, "expected a dict of tensors"),
        ({"a": {"b": READ_ONLY}}, "'a' is not tensors"),
        ([READ_ONLY], "a list; expected a dict of tensors"),
        (READ_ONLY["a"], "a Tensor; expected a dict of tensors"),
        (None, "a NoneType; expected"),
    ],
)
def test_which_tensors_are_meant_must_be_clear(file: Path, value: Any, message: str) -> None:
    write_zip(file, value, [NUMBERS])
    with pytest.raises((CheckpointError, UnsupportedError), match=message):
        read_pytorch(file)


HOSTILE = Call(Named("os.system"), ("true",))


@pytest.mark.parametrize("part", ["magic", "version", "machine", "value", "keys"])
def test_no_pickle_of_an_old_file_is_run(file: Path, part: str) -> None:
    write_legacy(file, **{"value": READ_ONLY, "storages": [NUMBERS], part: HOSTILE})
    with pytest.raises(UnsupportedError, match=r"'os\.system', which was not loaded"):
        read_pytorch(file)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "value",
    [HOSTILE, {**READ_ONLY, "b": HOSTILE}, {HOSTILE.function: 1}, tensor(Outside(HOSTILE), 0, ())],
    ids=["alone", "beside a tensor", "a name", "a storage"],
)
def test_a_name_that_is_no_tensor_is_refused(file: Path, value: Any, protocol: int) -> None:
    write_zip(file, value, [NUMBERS], protocol)
    with pytest.raises(UnsupportedError, match=r"'os\.system', which was not loaded"):
        read_pytorch(file)


@pytest.mark.parametrize(
    "name",
    [
        *("builtins.eval", "builtins.getattr", "torch.load", "torch._utils.os.system"),
        *("torch.storage._load_from_bytes", "collections.OrderedDict.__init__", "torch.Tensor"),
        *("numpy.core.multiarray._reconstruct", "transformers.BertModel", ".", ""),
    ],
)
def test_only_names_of_the_table_are_known(file: Path, name: str) -> None:
    write_zip(file, Call(Named(name), ()), [])
    with pytest.raises(UnsupportedError, match="which was not loaded"):
        read_pytorch(file)


@pytest.mark.parametrize(
    ("content", "instruction"),
    [
        (b"(S'true'\nios\nsystem\n.", "STRING"),
        (b"(ios\nsystem\n.", "INST"),
        (b"(cos\nsystem\no.", "'os.system'"),
        (b"(ctorch\nSize\no.", "OBJ"),
        (b"\x80\x02ctorch\nSize\n)\x81.", "NEWOBJ"),
        (b"\x80\x04ctorch\nSize\n)}\x92.", "NEWOBJ_EX"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x8b\x04\x00\x00\x00\x00\x00\x00\x01.", "LONG4"),
        (b"Pid\n.", "PERSID"),
    ],
)
def test_instructions_that_no_tensor_needs(file: Path, content: bytes, instruction: str) -> None:
    for write in (lambda: file.write_bytes(content), lambda: write_zip(file, content, [])):
        write()
        with pytest.raises(UnsupportedError, match=instruction):
            read_pytorch(file)


def test_which_file_of_a_folder(tmp_path: Path) -> None:
    for name in ("optimizer.pt", "scheduler.pt", "training_args.bin", "rng_state.pth"):
        (tmp_path / name).write_bytes(b"?")
    with pytest.raises(CheckpointError, match="no weights"):
        open_weights(tmp_path)
    write_zip(tmp_path / "a.pt", READ_ONLY, [NUMBERS])
    opened = open_weights(tmp_path)
    assert (opened.format, opened.file, opened.others) == ("PyTorch state dict", "a.pt", ())
    write_zip(tmp_path / "b.pth", READ_ONLY, [NUMBERS])
    with pytest.raises(CheckpointError, match=r"found a\.pt, b\.pth; expected one"):
        open_weights(tmp_path)
    write_zip(tmp_path / "pytorch_model.bin", READ_ONLY, [NUMBERS])
    opened = open_weights(tmp_path)
    assert (opened.format, opened.others) == ("PyTorch", ("a.pt", "b.pth"))
    for number in "12":
        (tmp_path / f"{number}.gguf").write_bytes(b"?")
    assert open_weights(tmp_path).others == ("1.gguf", "2.gguf", "a.pt", "b.pth")


def test_shards(tmp_path: Path) -> None:
    for name in "ab":
        write_zip(tmp_path / f"{name}.bin", {name: READ_ONLY["a"]}, [NUMBERS])
    index = {"weight_map": {"b": "b.bin", "a": "a.bin"}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    opened = open_weights(tmp_path)
    assert (opened.format, list(opened.weights)) == ("sharded PyTorch", ["b", "a"])
    assert opened.others == ()


@WRITERS
def test_a_model_is_the_same_as_from_safetensors(tmp_path: Path, write: Write) -> None:
    folder = write_tiny_model(tmp_path / "model")
    arrays = tiny_weights()
    with gpudb.connect(device="numpy") as db:
        first = db.import_model(folder, "tiny")
        (folder / "model.safetensors").unlink()
        value = state_dict({name: ("float32", values) for name, values in arrays.items()})
        write(folder / "pytorch_model.bin", value, list(arrays.values()))
        second = db.import_model(folder, "tiny")
    assert (second.format, second.file) == ("PyTorch", "pytorch_model.bin")
    assert (second.nbytes, second.new_nbytes) == (first.nbytes, 0)


def test_torch_is_not_imported(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it would fail
    write_zip(file, READ_ONLY, [NUMBERS])
    assert list(read_pytorch(file)) == ["a"]
