"""Image files with random pixels."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image


def image_file(mode: str, size: tuple[int, int], kind: str) -> bytes:
    """The content of a file of kind ``PNG``, ``JPEG``, …: (width, height) pixels of a mode."""
    random = np.random.default_rng(size[0])
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = random.integers(0, 256, (size[1], size[0], bands), np.uint8)
    return saved(Image.fromarray(pixels[:, :, 0] if bands == 1 else pixels, mode), kind)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The content of a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def image_files() -> list[bytes]:
    """Files wide and high, grey, with an alpha channel, and of a single pixel."""
    return [
        image_file("RGB", (20, 31), "PNG"),
        image_file("RGB", (33, 12), "JPEG"),
        image_file("L", (12, 12), "PNG"),
        image_file("RGBA", (13, 40), "PNG"),
        image_file("RGB", (1, 1), "PNG"),
        image_file("RGB", (25, 24), "BMP"),
    ]
