"""What a call of ``embed`` may choose: the prompt before each text, and the form of the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpudb.errors import InputError, UnsupportedError
from gpudb.kernels.pool import normalize
from gpudb.kernels.quantize import quantize
from gpudb.kernels.row_scales import row_scales
from gpudb.types import HostArray

VECTOR_DTYPES: Mapping[str, npt.DTypeLike] = {
    "float32": np.float32,
    "float16": np.float16,
    "int8": np.int8,
    "binary": np.uint8,
}
"""What vectors can be had as -> dtype of their elements; ``binary`` has eight numbers in each."""

LEAST_NORM = 1e-12
"""Divided by at least, as PyTorch's ``normalize`` has it."""


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """Options of one call; the defaults are what the model does by itself.

    Parameters
    ----------
    dimensions
        Keep so many numbers of each vector, the first ones: for models trained so that these mean
        the same (Kusupati et al., "Matryoshka Representation Learning", 2022). Where the model's
        vectors have length 1, what is left is scaled to length 1 again.
    prompt
        Name of one of the model's prompts; None for its default.
    dtype
        ``float32``; ``float16``, rounded; ``int8``, whole steps of 1/127 of the largest magnitude
        in the vector itself, so that no vector depends on another; ``binary``, eight signs to a
        byte, 1 for a number above zero, the first in the highest bit.

    Raises
    ------
    InputError
        One of them has no such value.
    """

    dimensions: int | None = None
    prompt: str | None = None
    dtype: str = "float32"

    def __post_init__(self) -> None:
        chosen = self.dimensions
        if chosen is not None and (type(chosen) is not int or chosen < 1):
            raise InputError(
                f"embed: dimensions is {chosen!r}; expected a whole number of at least 1, "
                "or None for all"
            )
        if self.prompt is not None and not isinstance(self.prompt, str):
            raise InputError(
                f"embed: prompt is {self.prompt!r}; expected the name of one of the model's "
                "prompts, or None for its default"
            )
        if not isinstance(self.dtype, str) or self.dtype not in VECTOR_DTYPES:
            raise InputError(
                f"embed: dtype is {self.dtype!r}; expected one of {', '.join(VECTOR_DTYPES)}"
            )

    def __str__(self) -> str:
        """What is not the default, for people."""
        parts = [
            f"{self.dimensions} dimensions" if self.dimensions is not None else "",
            f"prompt {self.prompt!r}" if self.prompt is not None else "",
            self.dtype if self.dtype != "float32" else "",
        ]
        return ", ".join(filter(None, parts))

    def width(self, model: str, width: int) -> int:
        """Elements of a vector of a model whose own have ``width``.

        Raises
        ------
        InputError
            More dimensions are asked for than there are.
        """
        numbers = width if self.dimensions is None else self.dimensions
        if numbers > width:
            raise InputError(
                f"embed: dimensions is {numbers}; the vectors of model {model!r} have {width}"
            )
        return -(-numbers // 8) if self.dtype == "binary" else numbers

    def leaves(self, width: int) -> bool:
        """Whether vectors of so many elements stay what the model makes them."""
        return self.dtype == "float32" and self.dimensions in (None, width)

    def applied(self, model: str, vectors: HostArray, unit: bool) -> HostArray:
        """Vectors of a model in this form; the prompt is the model's affair.

        Parameters
        ----------
        model
            Its name, for errors.
        vectors
            ``(n, width)`` float32.
        unit
            They have length 1.

        Raises
        ------
        UnsupportedError
            A vector has numbers that the dtype does not have.
        """
        if self.dimensions is not None and self.dimensions < vectors.shape[1]:
            vectors = vectors[:, : self.dimensions]
            if unit:
                vectors = normalize(vectors, LEAST_NORM)
        if self.dtype == "float32":
            return vectors
        with np.errstate(over="ignore"):
            halves = vectors.astype(np.float16)
        if not np.isfinite(halves if self.dtype == "float16" else vectors).all():
            raise UnsupportedError(
                f"embed: a vector of model {model!r} holds numbers that {self.dtype} does not "
                "have: NaN, infinity, or too large ones; use dtype 'float32'"
            )
        if self.dtype == "float16":
            return halves
        if self.dtype == "binary":
            return np.packbits(vectors > 0, axis=1)
        steps: HostArray = quantize.reference(vectors, row_scales.reference(vectors))
        return steps
