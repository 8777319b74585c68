"""A CUDA function whose text is given, not read from ``kernels/``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gpudb.kernels
from gpudb.kernels.launch import Cuda

COMMON = Path(gpudb.kernels.__file__).parent / "common.cuh"


@dataclass(frozen=True, slots=True)
class TextCuda(Cuda):
    """Runs wherever a :class:`gpudb.kernels.launch.Cuda` does."""

    text: str = ""

    @property
    def source(self) -> str:
        return self.text


def with_common(name: str, text: str) -> TextCuda:
    """A function over ``common.cuh``."""
    return TextCuda(name, name, (), COMMON.read_text(encoding="utf-8") + text)
