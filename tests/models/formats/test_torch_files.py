"""Files that PyTorch itself wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpudb.errors import UnsupportedError
from gpudb.models.formats.pytorch import read_pytorch
from gpudb.models.formats.torch_values import STORAGES

pytestmark = pytest.mark.oracle

FORMS = [{"_use_new_zipfile_serialization": False}] + [{"pickle_protocol": p} for p in (2, 3, 4, 5)]


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_every_dtype_shape_and_view(torch: Any, tmp_path: Path, form: dict[str, Any]) -> None:
    torch.manual_seed(0)
    whole = torch.randn(6, 8)
    tensors = {
        dtype: (torch.randn(17, 5) * 50).to(getattr(torch, dtype)) for dtype in STORAGES.values()
    }
    tensors |= {
        "whole": whole,
        "transposed": whole.T,
        "tied": whole,
        "row": whole[3],
        "column": whole[:, 3],
        "every second": whole[::2, 1::3],
        "one": torch.tensor(-0.0),
        "odd": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
        "none": torch.zeros(0, 5, dtype=torch.float16),
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "expanded by one": torch.arange(7).expand(1, 7),
        "permuted": torch.randn(2, 3, 4).permute(2, 0, 1),
    }
    torch.save(tensors, tmp_path / "w.pt", **form)
    weights = read_pytorch(tmp_path / "w.pt")
    assert list(weights) == list(tensors)
    for name, tensor in tensors.items():
        weight = weights[name]
        assert (weight.dtype, weight.shape) == (str(tensor.dtype)[6:], tuple(tensor.shape))
        expected = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        assert weight.array().tobytes() == expected


@pytest.mark.parametrize("form", FORMS[:2], ids=str)
def test_a_module(torch: Any, tmp_path: Path, form: dict[str, Any]) -> None:
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16)
    for value in (layer.state_dict(), {"state_dict": layer.state_dict(), "epoch": 3}):
        torch.save(value, tmp_path / "w.pt", **form)
        weights = read_pytorch(tmp_path / "w.pt")
        for name, tensor in layer.state_dict().items():
            assert weights[name].array().tolist() == tensor.tolist()
    torch.save(layer, tmp_path / "whole.pt", **form)
    with pytest.raises(UnsupportedError, match=r"TransformerEncoderLayer', which was not loaded"):
        read_pytorch(tmp_path / "whole.pt")


def test_what_tensors_are_not_read(torch: Any, tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    for tensor, message in (
        (torch.zeros(3, dtype=torch.complex64), "ComplexFloatStorage"),
        (torch.eye(3).to_sparse(), "_rebuild_sparse_tensor"),
        (torch.zeros(3, dtype=torch.uint16), "_rebuild_tensor_v3"),
        (torch.zeros(1).expand(1000), "repeats the 1 elements"),
    ):
        torch.save({"a": tensor}, file)
        with pytest.raises(UnsupportedError, match=message):
            read_pytorch(file)
