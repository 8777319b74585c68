"""What launch code passes against what the compiled function takes."""

from __future__ import annotations

import pytest

from gpudb.kernels.launch import Cuda
from gpudb.kernels.signature import parameters
from tests.cuda.emulated import compiled
from tests.cuda.launches import all_launches, name_of

PTX_TYPES = {
    "float": {"f32", "b32"},
    "double": {"f64", "b64"},
    "int": {"u32", "s32", "b32"},
    "long long": {"u64", "s64", "b64"},
    "bool": {"u8", "s8", "b8"},
}
"""Type in CUDA -> types in PTX; which of them is written changes with the compiler's version."""

POINTER = {"u64", "b64"}


@pytest.mark.parametrize("function", all_launches(), ids=name_of)
def test_parameters_are_those_of_the_compiled_function(function: Cuda) -> None:
    declared = parameters(function)
    found = compiled(function, 80).parameters
    assert len(found) == len(declared)
    for parameter, ptx in zip(declared, found, strict=True):
        wanted = POINTER if parameter.is_pointer else PTX_TYPES[parameter.ctype]
        assert ptx.type in wanted, f"{parameter.name} is .{ptx.type}"
