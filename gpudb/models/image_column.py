"""A column of images as what an encoder reads: the rows of their patches."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from gpudb.errors import CheckpointError
from gpudb.models.architecture import Config
from gpudb.models.images import ImageSettings, read_image_settings
from gpudb.models.patches import Patches
from gpudb.types import HostArray


def stored_settings(folder: Path, config: Config) -> dict[str, Any] | None:
    """What is done to images before they are cut, as it is stored; None if no file says it.

    Raises
    ------
    CheckpointError
        What comes out has not the size that the encoder takes.
    """
    patches = Patches.of(config)
    settings = read_image_settings(folder, patches.channels)
    if settings is None:
        return None
    if settings.final != (patches.height, patches.width):
        raise CheckpointError(
            f"{folder}: preprocessor_config.json makes images of {settings.final or 'any size'}, "
            f"config.json takes {(patches.height, patches.width)}; they must agree"
        )
    return asdict(settings)


@dataclass(frozen=True, slots=True)
class ImageColumn:
    """Images, decoded and cut a batch at a time: pixels are many times as large as files."""

    images: pa.ChunkedArray
    """``(n,)`` binary, without nulls."""
    settings: ImageSettings
    patches: Patches

    @property
    def offsets(self) -> HostArray:
        """Where each image's rows begin and end, ``(n + 1,)``."""
        return np.arange(len(self.images) + 1) * self.patches.places

    def rows(self, numbers: HostArray) -> HostArray:
        """The rows of some of the images, one image after the other.

        Parameters
        ----------
        numbers
            Places in the column.

        Raises
        ------
        RowError
            One cannot be decoded.
        """
        return np.concatenate([self._cut(int(number)) for number in numbers])

    def _cut(self, number: int) -> HostArray:
        data = self.images[number].as_py()
        return self.patches.cut(self.settings.pixels(data, self.patches.channels, number))
