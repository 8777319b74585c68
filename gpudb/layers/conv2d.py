"""Convolution as one block join.

Each pixel of the result sees a patch of the image. The patches side by side are a matrix, made of
shifted slices of the image, and the convolution is its product with the filters (the rewriting
called im2col: Chellapilla, Puri and Simard, 2006).
"""

from __future__ import annotations

from math import inf

from gpudb.errors import InputError
from gpudb.relation import TensorRelation


def conv2d(
    image: TensorRelation,
    filters: TensorRelation,
    bias: TensorRelation | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
) -> TensorRelation:
    """Cross-correlation, as PyTorch's ``conv2d`` computes it.

    Parameters
    ----------
    image
        ``(channels, height, width)``.
    filters
        ``(out, channels, kernel height, kernel width)``.
    bias
        ``(out,)`` or None.
    stride
        Step between patches, in pixels, along both axes.
    padding
        Rows and columns of zeros around the image.

    Returns
    -------
    TensorRelation
        ``(out, out height, out width)``.
    """
    if image.ndim != 3 or filters.ndim != 4 or image.shape[0] != filters.shape[1]:
        raise InputError(
            f"conv2d: the image is {image.shape}, the filters are {filters.shape}; expected "
            "(channels, height, width) and (out, channels, kernel height, kernel width)"
        )
    if stride < 1 or padding < 0:
        raise InputError(f"conv2d: found stride {stride} and padding {padding}; at least 1 and 0")
    padded = _padded(_padded(image, 1, padding), 2, padding)
    out, channels, high, wide = filters.shape
    rows = (padded.shape[1] - high) // stride + 1
    columns = (padded.shape[2] - wide) // stride + 1
    if rows < 1 or columns < 1:
        raise InputError(
            f"conv2d: filters of {high}×{wide} do not fit an image of {padded.shape[1:]}; pad it"
        )
    shifted = [
        _every(_every(padded, 1, i, rows, stride), 2, j, columns, stride).merge_axes(1)
        for i in range(high)
        for j in range(wide)
    ]
    patches = shifted[0].concat(shifted[1:], axis=0)
    # Filters in the order of the patches: kernel row, kernel column, channel.
    flat = filters.transpose(0, 2, 3, 1).merge_axes(1).merge_axes(1)
    assert flat.shape == (out, high * wide * channels)
    product = flat @ patches
    if bias is not None:
        product = product + bias.split_axis(0, 1)
    return product.split_axis(1, columns)


def _padded(image: TensorRelation, axis: int, padding: int) -> TensorRelation:
    if padding == 0:
        return image
    shape = list(image.shape)
    shape[axis] = padding
    edge = image[(slice(None),) * axis + (slice(0, 1),)]
    # No number is below minus infinity: what is left of the edge is zeros.
    zeros = edge.where("<", -inf).broadcast_to(tuple(shape))
    return zeros.concat([image, zeros], axis=axis)


def _every(x: TensorRelation, axis: int, start: int, count: int, stride: int) -> TensorRelation:
    """Positions ``start``, ``start + stride``, … along an axis, ``count`` of them."""
    before = (slice(None),) * axis
    if stride == 1:
        return x[(*before, slice(start, start + count))]
    # All but the last step are whole; the last one may end early, so it is taken alone.
    last = x[(*before, slice(start + (count - 1) * stride, start + (count - 1) * stride + 1))]
    if count == 1:
        return last
    whole = x[(*before, slice(start, start + (count - 1) * stride))].split_axis(axis, stride)
    return whole[(*before, slice(None), 0)].concat([last], axis=axis)
