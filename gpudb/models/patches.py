"""Images as sequences of rows: one of zeros for the class, then one for each patch.

A convolution whose patches do not overlap is a linear step over rows of the patches' numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.errors import CheckpointError
from gpudb.models.architecture import Config, token_input, whole_number
from gpudb.models.distances import constant_rows
from gpudb.plan.node import Node
from gpudb.plan.reshape import Concat, MergeAxes
from gpudb.plan.tensor import Constant, Gather, Input, Matmul, Zip
from gpudb.types import HostArray, TensorSchema


@dataclass(frozen=True, slots=True)
class Patches:
    """How images of one size are cut."""

    height: int
    width: int
    channels: int
    rows: int
    """Height of a patch."""
    columns: int
    """Width of a patch."""

    @classmethod
    def of(cls, config: Config) -> Patches:
        """Those of a config that calls them as ViT's does."""
        height, width = _two(config, "image_size")
        rows, columns = _two(config, "patch_size")
        if height < rows or width < columns:
            raise CheckpointError(
                f"config.json: image_size is {height}x{width}, patch_size is {rows}x{columns}; "
                "expected images of at least one patch"
            )
        return cls(height, width, whole_number(config, "num_channels"), rows, columns)

    @property
    def kernel(self) -> tuple[int, int, int]:
        """Extents of a patch."""
        return self.channels, self.rows, self.columns

    @property
    def row_width(self) -> int:
        """Numbers in a patch."""
        return self.channels * self.rows * self.columns

    @property
    def places(self) -> int:
        """Rows of an image: the class, and the patches."""
        return 1 + (self.height // self.rows) * (self.width // self.columns)

    def cut(self, pixels: HostArray) -> HostArray:
        """Rows of an image.

        Parameters
        ----------
        pixels
            ``(channels, height, width)`` float32. What is left over at the lower and right edge, as
            in a convolution, is in no patch.

        Returns
        -------
        rows
            ``(places, channels · rows · columns)`` float32, in the layout of the convolution's
            weight; the first is zeros.
        """
        down, across = self.height // self.rows, self.width // self.columns
        whole = pixels[:, : down * self.rows, : across * self.columns]
        split = whole.reshape(self.channels, down, self.rows, across, self.columns)
        patches = split.transpose(1, 3, 0, 2, 4).reshape(down * across, self.row_width)
        return np.concatenate([np.zeros((1, self.row_width), np.float32), patches])

    def embed(self, kernel: Node, bias: Node | None, first: Node, places: Node) -> Node:
        """The embeddings of rows.

        The row of zeros becomes the bias, so the class less the bias is added to its place.

        Parameters
        ----------
        kernel
            ``(width, channels, rows, columns)``, the convolution's weight.
        bias
            ``(width,)``, or None for none.
        first
            ``(1, width)``, the class.
        places
            ``(places, width)``, vectors of the places.
        """
        matrix = MergeAxes(MergeAxes(kernel, 2), 1)
        width = int(places.schema.numbers[1])
        nothing = Constant(TensorSchema.one_block("nothing", (1, width)), (0.0,) * width)
        first = first if bias is None else Zip(first, bias, "subtract")
        added = Concat((first, nothing), 0)
        which = constant_rows("which", np.minimum(np.arange(self.places), 1))
        table = Zip(places, Gather(added, which), "add")
        shape = ("tokens", self.row_width)
        x = Input(TensorSchema("rows", shape, shape))
        product = Matmul(x, matrix, transpose_right=True)
        embedded = product if bias is None else Zip(product, bias, "add")
        return Zip(embedded, Gather(table, token_input("position_ids")), "add")


def _two(config: Config, key: str) -> tuple[int, int]:
    """Height and width, of one number or a list of two."""
    found = config.get(key)
    if isinstance(found, list) and len(found) == 2:
        height, width = (whole_number({key: extent}, key) for extent in found)
        return height, width
    extent = whole_number(config, key)
    return extent, extent
