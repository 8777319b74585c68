"""ONNX files as the exporters of PyTorch and optimum write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Export = Callable[[Any, Mapping[str, Any], Path], None]
"""Model, example inputs by name in the order of ``forward``, file."""


def export_script(model: Any, inputs: Mapping[str, Any], file: Path, **options: Any) -> None:
    """The exporter over TorchScript."""
    import torch

    torch.onnx.export(
        model,
        tuple(inputs.values()),
        str(file),
        dynamo=False,
        input_names=list(inputs),
        dynamic_axes={name: _free_axes(value) for name, value in inputs.items()},
        **options,
    )


def export_dynamo(model: Any, inputs: Mapping[str, Any], file: Path, **options: Any) -> None:
    """The exporter over ``torch.export``."""
    import torch

    torch.onnx.export(
        model,
        kwargs=dict(inputs),
        f=str(file),
        dynamo=True,
        verbose=False,
        dynamic_shapes={
            name: dict.fromkeys(_free_axes(value), torch.export.Dim.DYNAMIC)
            for name, value in inputs.items()
        },
        **options,
    )


def export_optimum(
    model: Any, inputs: Mapping[str, Any], file: Path, task: str = "feature-extraction"
) -> None:
    """What ``optimum-cli export onnx`` calls; it takes a model folder."""
    import pytest

    exporters = pytest.importorskip("optimum.exporters.onnx", reason="optimum-onnx")
    source = file.parent / "source"
    model.save_pretrained(source)
    exporters.main_export(str(source), output=file.parent, task=task)


def _free_axes(value: Any) -> dict[int, str]:
    """Axes that may have any extent: batch and tokens, but not the sides of an image."""
    return {0: "batch"} if value.ndim == 4 else {0: "batch", 1: "tokens"}
