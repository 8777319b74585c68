"""Seconds of one launch: its operations or its bytes, whichever take longer, and its start.

A roofline (Williams et al., 2009) with two corrections: products are worked on in tiles, so many at
a time as there are multiprocessors, and a kernel takes a while to start.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from gpudb.exec.operator import Launch
from gpudb.predict.devices import Gpu

BANDWIDTH_SHARE = 0.85
"""Of the data sheet's bandwidth that a kernel reaches which does nothing but move; assumed. Arrays
that a kernel finds in L2 come faster."""

CORE_SHARE = 0.4
"""Of the float32 rate that our kernels' arithmetic reaches; assumed. It matters for attention,
whose operands come from shared memory, with reductions and ``exp`` between its products."""

TILES = ((256, 128, 1.0), (128, 128, 0.9), (128, 64, 0.8), (64, 64, 0.65))
"""Rows and columns that one multiprocessor computes at a time, and its rate relative to the largest
tile. Sizes as in NVIDIA's "Matrix Multiplication Background User's Guide", sections 2.3 and 3,
which says that smaller ones are slower; how much is assumed."""

STREAM_START = 3e-6
"""Seconds from the end of one kernel to the work of the next in a stream, filling and draining the
multiprocessors included; assumed: 2 to 4 µs are usual."""

GRAPH_START = 1e-6
"""The same inside a CUDA graph; assumed, from NVIDIA's "Getting Started with CUDA Graphs"
(developer.nvidia.com/blog/cuda-graphs), where a graph takes less than a microsecond a kernel."""

HOST_LAUNCH = 10e-6
"""Seconds that Python and CuPy take for one launch; assumed. While kernels are shorter, the GPU
waits for them; a graph has no such cost."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a plan is predicted for."""

    gpu: Gpu
    precision: str
    graph: bool = True
    """All launches of a run are one CUDA graph."""


def work_seconds(launch: Launch, setting: Setting) -> float:
    """Seconds that the GPU works, at the shares that are assumed."""
    gpu = setting.gpu
    memory = launch.moved / (gpu.bandwidth * BANDWIDTH_SHARE)
    if launch.product is not None:
        return max(memory, product_seconds(launch.product, setting))
    return max(memory, launch.flops / (gpu.float32 * CORE_SHARE))


def product_seconds(product: tuple[int, int, int], setting: Setting) -> float:
    """Seconds of a product's arithmetic, with the tile that suits it best.

    Tiles at the edges take as long as whole ones, and a last wave as long as a full one.
    """
    rows, columns, inner = product
    gpu = setting.gpu
    rate = gpu.product_rate(setting.precision) * gpu.sustained / gpu.multiprocessors
    seconds = []
    for tile_rows, tile_columns, share in TILES:
        tiles = ceil(rows / tile_rows) * ceil(columns / tile_columns)
        waves = ceil(tiles / gpu.multiprocessors)
        seconds.append(waves * 2 * tile_rows * tile_columns * inner / (rate * share))
    return min(seconds)


def least_seconds(launches: tuple[Launch, ...], nbytes: int, setting: Setting) -> float:
    """What the data sheet allows: every unit at its rate, every array moved once."""
    gpu = setting.gpu
    arithmetic = sum(
        launch.flops / (gpu.product_rate(setting.precision) if launch.product else gpu.float32)
        for launch in launches
    )
    return max(arithmetic, nbytes / gpu.bandwidth)


def start_seconds(setting: Setting) -> float:
    """Seconds before a launch's work begins."""
    return GRAPH_START if setting.graph else STREAM_START


def host_seconds(launches: int, setting: Setting) -> float:
    """Seconds before the host has made so many launches."""
    return 0.0 if setting.graph else launches * HOST_LAUNCH
