"""What every kernel file must have, found by looking at the folder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from gpudb import kernels
from gpudb.kernels import Kernel
from tests.children import ROOT, start
from tests.kernels.kernel_calls import calls

FOLDER = Path(kernels.__file__).parent
SHARED = {
    *("__init__", "boxes", "cuts", "elementwise", "launch", "lines", "rows"),
    *("sequences", "signature"),
}
"""Files that several kernels use and that hold none themselves."""
NAMES = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in SHARED)


def _kernel(name: str) -> Kernel:
    found = getattr(import_module(f"gpudb.kernels.{name}"), name)
    assert isinstance(found, Kernel)
    return found


def test_every_kernel_file_is_called_here() -> None:
    assert sorted(calls()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_is_named_for_its_file(name: str) -> None:
    assert _kernel(name).name == name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_shape_is_that_of_the_reference(name: str, dtype: str) -> None:
    kernel = _kernel(name)
    for arguments in calls(dtype)[name]:
        shape = kernel.shape(*arguments)
        result = kernel.reference(*arguments)
        assert shape == result.shape
        assert isinstance(shape, tuple)
        expected = kernel.dtype(*arguments) if kernel.dtype else dtype
        assert result.dtype == np.dtype(expected)


def test_the_folder_by_its_own_name_is_an_import_error() -> None:
    child = start(f"import sys; sys.path.insert(0, {str(ROOT)!r}); import kernels")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "ImportError: this folder is gpudb.kernels" in err
    assert "from gpudb import kernels" in err
