"""Images in files' bytes (PNG, JPEG, …) as the numbers a model was trained on.

What is done to them is said by ``preprocessor_config.json``, in the order of transformers' image
processors: resize, crop the middle, rescale, normalise. Pillow decodes and resizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import CheckpointError, RowError, UnsupportedError
from gpudb.models.files import file_names, read_json_object
from gpudb.types import HostArray

MOST_PIXELS = 1 << 26
"""Of one image, decoded: a small file can claim any size."""

_USUAL = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
_HALF = [0.5, 0.5, 0.5]
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "ViT": {**_USUAL, "size": 224, "resample": 2, "image_mean": _HALF, "image_std": _HALF},
    "CLIP": {
        **_USUAL,
        "size": {"shortest_edge": 224},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": 224,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    },
}
"""How the name of an image processor begins -> its settings where the file does not say them."""


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """What is done to an image; stored with the model.

    Parameters
    ----------
    size
        Height and width to resize to; one number for the shorter edge; empty for no resizing.
    resample
        Pillow's number of the filter.
    crop
        Height and width of the middle that is kept; empty for all.
    factor
        What values from 0 to 255 are multiplied by.
    mean, std
        Subtracted, then divided by, for each channel; empty for neither.
    """

    size: Sequence[int]
    resample: int
    crop: Sequence[int]
    factor: float
    mean: Sequence[float]
    std: Sequence[float]

    @property
    def final(self) -> tuple[int, ...]:
        """Height and width of what comes out; empty where they depend on the image."""
        return tuple(self.crop or (self.size if len(self.size) == 2 else ()))

    def pixels(self, data: bytes, channels: int, number: int) -> HostArray:
        """The numbers of one image.

        Parameters
        ----------
        data
            Content of an image file; of several frames the first counts.
        channels
            3 for red, green and blue, transparent parts over white; 1 for grey.
        number
            Its place in the column, for errors.

        Returns
        -------
        pixels
            ``(channels, height, width)`` float32.

        Raises
        ------
        RowError
            It cannot be decoded, or has more than :data:`MOST_PIXELS`.
        UnsupportedError
            Pillow is not installed.
        """
        image = _decoded(data, channels, number)
        if self.size:
            size = self.size if len(self.size) == 2 else _with_shorter(self.size[0], *image.size)
            image = image.resize((size[1], size[0]), self.resample)
        values = np.asarray(image).reshape(image.height, image.width, channels).transpose(2, 0, 1)
        if self.crop:
            values = _middle(values, *self.crop)
        scaled = (values * np.float64(self.factor)).astype(np.float32)
        if self.mean:
            mean, std = (np.array(x, np.float32)[:, None, None] for x in (self.mean, self.std))
            scaled = (scaled - mean) / std
        return scaled


def read_image_settings(folder: Path, channels: int) -> ImageSettings | None:
    """What ``preprocessor_config.json`` says; None where there is none.

    Raises
    ------
    CheckpointError
        A setting is damaged.
    UnsupportedError
        The processor is none that gpudb knows.
    """
    file = next((folder / n for n in _FILES if n in file_names(folder)), None)
    if file is None:
        return None
    found = read_json_object(file)
    found = found.get("image_processor", found)
    name = str(found.get("image_processor_type") or found.get("feature_extractor_type"))
    defaults = next((d for start, d in DEFAULTS.items() if name.startswith(start)), None)
    if defaults is None:
        raise UnsupportedError(
            f"{file}: the image processor is {name}; gpudb computes those whose name begins with "
            f"{' or '.join(DEFAULTS)}"
        )
    given = {key: value for key, value in found.items() if value is not None}
    return _settings(file, {**defaults, **given}, channels)


_FILES = ("preprocessor_config.json", "processor_config.json")


def _settings(file: Path, found: Mapping[str, Any], channels: int) -> ImageSettings:
    if found.get("do_pad"):
        raise UnsupportedError(f"{file}: do_pad is true; gpudb resizes and crops only")
    size = _extents(found["size"])
    shorter = isinstance(found["size"], int) and "crop_size" in found
    settings = ImageSettings(
        size=(size[:1] if shorter else size) if found["do_resize"] else [],
        resample=found["resample"],
        crop=_extents(found["crop_size"]) if found.get("do_center_crop") else [],
        factor=found["rescale_factor"] if found["do_rescale"] else 1.0,
        mean=found["image_mean"] if found["do_normalize"] else [],
        std=found["image_std"] if found["do_normalize"] else [],
    )
    extents = [*settings.size, *settings.crop]
    numbers = [settings.mean, settings.std] if found["do_normalize"] else []
    if (
        max(len(settings.size), len(settings.crop)) > 2
        or not all(type(n) is int and 0 < n <= MOST_PIXELS for n in extents)
        or settings.resample not in range(6)
        or not all(_are_numbers(row, channels) for row in [[settings.factor] * channels, *numbers])
        or 0 in settings.std
    ):
        raise CheckpointError(
            f"{file}: found {settings}; expected whole numbers of pixels, a filter from 0 to 5, "
            f"and {channels} numbers each for image_mean and image_std, which is not 0"
        )
    return settings


def _extents(size: Any) -> list[Any]:
    """Height and width, or the shorter edge; None for what is not there."""
    if not isinstance(size, dict):
        return [size, size]
    given = {key: extent for key, extent in size.items() if extent is not None}
    if given.keys() == {"shortest_edge"}:
        return [given["shortest_edge"]]
    return [given.pop(key, None) for key in ("height", "width")] + [*given.values()]


def _are_numbers(row: Any, count: int) -> bool:
    return (
        isinstance(row, list)
        and len(row) == count
        and all(type(n) in (int, float) and np.isfinite(n) for n in row)
    )


def _decoded(data: bytes, channels: int, number: int) -> Any:
    """An image of Pillow's, upright, in the mode that has so many channels."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise UnsupportedError(
            "images are decoded by Pillow, which is not installed; run "
            "pip install 'gpudb-tensor[images]'"
        ) from error
    try:
        with Image.open(BytesIO(data)) as opened:
            if opened.width * opened.height <= MOST_PIXELS:
                image = ImageOps.exif_transpose(opened)
                return image.convert("L") if channels == 1 else _over_white(image, Image)
            problem = f"{opened.width} x {opened.height} pixels, more than {MOST_PIXELS:,}"
    except MemoryError:
        raise
    # Decoders of many formats raise what they like, a warning about a bomb among it.
    except Exception as error:
        raise RowError(
            number,
            f"{len(data):,} bytes are no image that Pillow decodes ({error}); expected the whole "
            "content of an image file, such as PNG or JPEG",
        ) from error
    raise RowError(number, f"the image has {problem}; make it smaller")


def _over_white(image: Any, pillow: Any) -> Any:
    if "A" in image.getbands() or image.info.get("transparency") is not None:
        white = pillow.new("RGBA", image.size, (255, 255, 255, 255))
        image = pillow.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")


def _with_shorter(edge: int, width: int, height: int) -> tuple[int, int]:
    """Height and width in the image's proportions."""
    longer = int(edge * max(width, height) / min(width, height))
    return (longer, edge) if width <= height else (edge, longer)


def _middle(values: HostArray, height: int, width: int) -> HostArray:
    """The middle of an image, with zeros around what is too small."""
    _, rows, columns = values.shape
    down, across = max(0, height - rows), max(0, width - columns)
    edges = ((ceil(down / 2), down // 2), (ceil(across / 2), across // 2))
    padded = np.pad(values, ((0, 0), *edges))
    top = (rows - height) // 2 + edges[0][0]
    left = (columns - width) // 2 + edges[1][0]
    return padded[:, top : top + height, left : left + width]
