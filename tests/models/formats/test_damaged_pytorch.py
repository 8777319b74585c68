"""Files of PyTorch that are cut, damaged or hostile, written by hand: refused, and none is run."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.pytorch import read_pytorch
from tests.models.formats.torch_writer import (
    HELD,
    NUMBERS,
    READ_ONLY,
    WRITERS,
    Call,
    Named,
    Outside,
    Write,
    pickled,
    storage,
    tensor,
    write_legacy,
    write_zip,
)

pytestmark = pytest.mark.usefixtures("nothing_runs")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pytorch_model.bin"


DOUBLED = b")" + b"q\x00h\x00\x86" * 100
"""A tuple of a tuple twice, a hundred times over: hashing or printing it would take for ever."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged pickle"),
        (b".", "damaged pickle"),
        (b"\x80\x02}", "damaged pickle"),
        (b"\x80\x02}u.", "damaged pickle"),
        (b"ctorch\nSi\\oze\n.", "damaged pickle"),
        (b"(.", "a mark where a value"),
        (b"h\x05.", "damaged pickle"),
        (b"\x8d" + b"\xff" * 8 + b"x.", "damaged pickle"),
        (b"\x8d" + b"\x00" * 7 + b"\x10x.", "damaged pickle"),
        (b"\x8e" + b"\xff" * 8 + b"x.", "damaged pickle"),
        (b"X\xff\xff\xff\xffx.", "damaged pickle"),
        (b"(" * 100_000 + b".", "a mark where a value"),
        (b"](" + b"]" * 100_000 + b"e.", "a list; expected"),
        (b"}(" + b"]" * 3 + b"u.", "a key without a value"),
        (b"}]]s.", "a list as a key"),
        (b"}X\x01\x00\x00\x00aNX\x01\x00\x00\x00aNu.", "damaged pickle"),
        (b"}(X\x01\x00\x00\x00aNX\x01\x00\x00\x00aNu.", "the key 'a' stands there twice"),
        (b"}" + DOUBLED + b"Ns.", "a tuple as a key"),
        (DOUBLED + b".", "a tuple; expected"),
        (pickled(Call(Named("torch.FloatStorage"), ())), "which only stands for a dtype"),
        (pickled(Outside(("module", 1))), "no storage"),
        (pickled(Outside(("storage", 1, "0", "cpu", 1))), "another form"),
        (pickled(Outside(("storage", Named("torch.Size"), "0", "cpu", 1))), "another form"),
        (pickled(storage("0", "float32", -1)), "another form"),
        (pickled([HELD, storage("0", "float32", 3)]), "two dtypes or sizes"),
        (pickled([HELD, storage("0", "int32", 12)]), "two dtypes or sizes"),
    ],
)
def test_damaged_and_hostile_pickles(file: Path, content: bytes, message: str) -> None:
    write_zip(file, content, [NUMBERS])
    with pytest.raises((CheckpointError, UnsupportedError), match=message) as caught:
        read_pytorch(file)
    assert len(str(caught.value)) < 500


def test_an_extent_that_would_take_for_ever_to_print(file: Path) -> None:
    content = pickled({"a": tensor(HELD, 0, ("extent",), (1,))})
    held = content.index(b"X\x06\x00\x00\x00extent")
    endless = b")r\xff\x00\x00\x00" + b"j\xff\x00\x00\x00\x86r\xff\x00\x00\x00" * 100
    write_zip(file, content[:held] + endless + content[held + 11 :], [NUMBERS])
    with pytest.raises(CheckpointError, match="shape or strides are none"):
        read_pytorch(file)


def test_the_last_of_four_billion_places_of_the_memo_takes_no_memory(file: Path) -> None:
    write_zip(file, b"}r\xff\xff\xff\xff.", [])
    assert read_pytorch(file) == {}


HUGE = storage("0", "float32", 2_500_000_000)


@WRITERS
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"a": tensor(HUGE, 0, (50_000, 50_000))},
            "48 bytes; expected 10,000,000,000|expected 2500000000 elements",
        ),
        ({"a": tensor(HELD, 0, (50_000, 50_000))}, "reaching element"),
        ({"a": tensor(HELD, 0, (2**40, 2**40))}, r"below 2\^63"),
        ({"a": tensor(HELD, 0, (50_000, 50_000), (0, 0))}, "repeats the 12 elements"),
        ({"a": tensor(HELD, 1, (3, 4))}, "reaching element 12 of its storage"),
        ({"a": tensor(HELD, 10**30, (1,))}, "reaching element"),
        ({"a": tensor(HELD, 0, (2,), (12,))}, "reaching element 12"),
        ({"a": tensor(HELD, 0, (-1,), (1,))}, "or strides are none"),
        ({"a": tensor(HELD, 0, (1,) * 65)}, "whole numbers"),
        ({"a": tensor(HELD, 0, (True,), (1,))}, "or strides are none"),
        ({"a": tensor(HELD, 0, ((),), (1,))}, "or strides are none"),
        ({"a": tensor(HELD, 0, (2,), (-1,))}, "strides are none"),
        ({"a": tensor(HELD, 0, (2,), (1, 1))}, "strides are none"),
        ({"a": tensor(HELD, -1, (2,))}, "strides are none"),
        ({"a": tensor(Outside(("storage",)), 0, (2,))}, "no storage"),
        ({"a": Call(Named("torch._utils._rebuild_tensor_v2"), ())}, "without storage"),
        ({"a": Call(Named("torch._utils._rebuild_parameter"), (1,))}, "no tensor"),
        ({"a": Call(Named("torch.Size"), (1,))}, "no tuple"),
        ({"a": tensor(storage("../1", "float32", 1), 0, (1,))}, "storage"),
    ],
)
def test_tensors_that_do_not_fit_their_storage(
    file: Path, write: Write, value: Any, message: str
) -> None:
    write(file, value, [NUMBERS])
    with pytest.raises((CheckpointError, UnsupportedError), match=message):
        read_pytorch(file)


def test_views_in_many_orders_cannot_take_more_memory_than_the_file(file: Path) -> None:
    numbers = np.zeros(10_000, np.float32)
    held = storage("0", "float32", 10_000)
    orders = {str(n): tensor(held, n, (90, 100), (1, 90)) for n in range(3)}
    write_zip(file, orders, [numbers])
    with pytest.raises(UnsupportedError, match="more than the file has"):
        read_pytorch(file)


@WRITERS
def test_a_cut_file(file: Path, write: Write) -> None:
    content = write(file, READ_ONLY, [NUMBERS]).read_bytes()
    for size in range(len(content)):
        file.write_bytes(content[:size])
        with pytest.raises((CheckpointError, UnsupportedError)):
            read_pytorch(file)


@WRITERS
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_are_refused_or_change_numbers(file: Path, write: Write, data: Any) -> None:
    write(file, {**READ_ONLY, "b": tensor(HELD, 0, (4, 3), (1, 4))}, [NUMBERS])
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = file.with_name("damaged.bin")
    damaged.write_bytes(content)
    try:
        weights = read_pytorch(damaged)
    except (CheckpointError, UnsupportedError):
        return
    for weight in weights.values():
        assert weight.array().shape == weight.shape
        assert weight.nbytes <= NUMBERS.nbytes


def test_old_files_whose_parts_disagree(file: Path) -> None:
    for parts, message in (
        ({"magic": 7}, r"torch\.save did not write"),
        ({"version": 1000}, "another version"),
        ({"machine": {"little_endian": False}}, "not little-endian"),
        ({"keys": []}, "other storages"),
        ({"keys": ["1"]}, "other storages"),
        ({"keys": ["0", "0"]}, "other storages"),
        ({"storages": [NUMBERS[:3]]}, "of another size"),
    ):
        write_legacy(file, **{"value": READ_ONLY, "storages": [NUMBERS], **parts})
        with pytest.raises((CheckpointError, UnsupportedError), match=message):
            read_pytorch(file)


def test_zip_files_whose_parts_disagree(file: Path) -> None:
    write_zip(file, READ_ONLY, [NUMBERS], byteorder=b"big")
    with pytest.raises(UnsupportedError, match="not little-endian"):
        read_pytorch(file)
    write_zip(file, READ_ONLY, [])
    with pytest.raises(CheckpointError, match="no storage '0'"):
        read_pytorch(file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("n/data.pkl", b"")
    with pytest.raises(CheckpointError, match=r"2 data\.pkl"):
        read_pytorch(file)
    write_zip(file, READ_ONLY, [NUMBERS])
    with (
        zipfile.ZipFile(file, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("m/data/0", b"")
    with pytest.raises(CheckpointError, match="'m/data/0' twice"):
        read_pytorch(file)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", bytes(10**6))
    with pytest.raises(UnsupportedError, match="is compressed"):
        read_pytorch(file)
