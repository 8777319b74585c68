"""What data sheets say of GPUs. Rates are dense: sparsity doubles them on paper only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gpudb.errors import InputError, UnsupportedError

PRECISIONS = ("float32", "tf32", "float16", "bfloat16")
"""Of products. tf32 rounds the factors of float32 products; half types have two bytes all along."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; rates are per second."""

    name: str
    memory_nbytes: float
    bandwidth: float
    """Bytes of device memory, read or written."""
    multiprocessors: int
    float32: float
    """Operations outside tensor cores; a multiply-add is two."""
    tensor: Mapping[str, float]
    """Operations of tensor cores, by precision."""
    sustained: float
    """Share of the rates that long products reach, within the power limit."""

    def product_rate(self, precision: str) -> float:
        """Operations of products on paper.

        Raises
        ------
        InputError
            There is no such precision.
        UnsupportedError
            The GPU has no units for it.
        """
        if precision not in PRECISIONS:
            raise InputError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")
        if precision == "float32":
            return self.float32
        if precision not in self.tensor:
            raise UnsupportedError(
                f"{self.name} has no tensor cores for {precision}; "
                f"it has float32, {', '.join(self.tensor)}"
            )
        return self.tensor[precision]


def _tensor(half: float, tf32: float | None = None) -> Mapping[str, float]:
    """Rates of chips since Ampere; the one before it has no tf32 and no bfloat16."""
    newer = {} if tf32 is None else {"tf32": tf32, "bfloat16": half}
    return {"float16": half, **newer}


# Sustained rates, unless stated otherwise: largest measured bfloat16 products over the data sheet,
# "Maximum Achievable Matmul FLOPS comparison table" in
# https://github.com/stas00/ml-engineering/blob/master/compute/accelerator/README.md
# (A100 SXM 86.9 %, H100 SXM 80.3 %).
_ALL = (
    # NVIDIA T4 datasheet; NVIDIA Turing GPU Architecture whitepaper, appendix "Tesla T4" (40 SMs):
    # https://www.nvidia.com/en-us/data-center/tesla-t4/
    # Sustained: about 24 of 65 TFLOP/s in a loop of cuBLAS products, because of the 70 W limit:
    # https://forums.developer.nvidia.com/t/about-gpu-peak-performance/264462
    Gpu("t4", 16e9, 320e9, 40, 8.1e12, _tensor(65e12), 0.37),
    # NVIDIA L4 Tensor Core GPU datasheet, 242 TFLOP/s with sparsity; Ada GPU Architecture
    # whitepaper (58 of AD104's 60 SMs): https://www.nvidia.com/en-us/data-center/l4/
    # Sustained: assumed, between T4 and A100, for its limit of 72 W.
    Gpu("l4", 24e9, 300e9, 58, 30.3e12, _tensor(121e12, 60e12), 0.5),
    # NVIDIA A100 Tensor Core GPU datasheet; Ampere Architecture whitepaper (108 SMs):
    # https://www.nvidia.com/en-us/data-center/a100/
    Gpu("a100-40gb", 40e9, 1555e9, 108, 19.5e12, _tensor(312e12, 156e12), 0.87),
    Gpu("a100-80gb", 80e9, 2039e9, 108, 19.5e12, _tensor(312e12, 156e12), 0.87),
    # NVIDIA H100 Tensor Core GPU datasheet, halved where it is with sparsity; Hopper Architecture
    # whitepaper (SXM5 132 SMs, PCIe 114): https://www.nvidia.com/en-us/data-center/h100/
    # Sustained, PCIe: assumed, below SXM for its limit of 350 W instead of 700 W.
    Gpu("h100-sxm", 80e9, 3350e9, 132, 67e12, _tensor(989e12, 494e12), 0.80),
    Gpu("h100-pcie", 80e9, 2000e9, 114, 51e12, _tensor(756e12, 378e12), 0.7),
)
GPUS: Mapping[str, Gpu] = {gpu.name: gpu for gpu in _ALL}


def find_gpu(name: str) -> Gpu:
    """The GPU of this name.

    Raises
    ------
    InputError
        There is none.
    """
    if name not in GPUS:
        raise InputError(f"no GPU {name!r}; there are {', '.join(GPUS)}")
    return GPUS[name]
