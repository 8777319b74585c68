"""The same code for processors with less.

AVX-512 without DQ, AVX2, and 128-bit vectors, which no x86 is given; bfloat16 and int8 without
their instructions, so that they are tested on any processor.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from llvmlite.binding import get_host_cpu_features

from tests.children import ROOT

WITHOUT_DQ, AVX2, NARROW = "AVX-512 without DQ", "AVX2", "128-bit vectors"
FORMS: Mapping[str, tuple[str, str]] = {
    WITHOUT_DQ: ("skylake-avx512", "+sse4.2,+avx,+avx2,+fma,+avx512f,-avx512dq"),
    AVX2: ("haswell", "+sse4.2,+avx,+avx2,+fma"),
    NARROW: ("nehalem", "+sse4.2"),
}
"""Name of a target -> what is said of the processor."""

FILES = (
    *("lanes", "tile", "products", "attention", "pool", "row_kernels", "gated_kernels"),
    *("rounded_products", "program", "functions"),
)
PLAIN = "AVX2, plain instructions"
CHILDREN: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    WITHOUT_DQ: (WITHOUT_DQ, ("functions", "attention"), ()),
    AVX2: (AVX2, FILES, ()),
    NARROW: (NARROW, FILES, ()),
    PLAIN: (
        AVX2,
        ("tile", "rounded_products", "rounded_attention", "team"),
        ("-p", "tests.backend.jit.plain_instructions"),
    ),
}
"""Name -> form, files and options of pytest."""

HAS_AVX512 = get_host_cpu_features().get("avx512f", False)
"""Whether this processor runs what is made for :data:`WITHOUT_DQ`."""

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="names processors of x86"
)

PROBE = """
from gpudb.backend import open_backend
from gpudb.backend.jit.probe import obstacle
from gpudb.backend.jit.target import TARGET
from gpudb.errors import DeviceError
print(TARGET.name, bool(obstacle()), sep="; ")
for precision in ("float32", "bfloat16", "int8"):
    try:
        print(open_backend("jit", precision=precision).name)
    except DeviceError as error:
        print(error)
"""


def environment(form: str, folder: Path) -> dict[str, str]:
    name, features = FORMS[form]
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "NUMBA_CPU_NAME": name,
        "NUMBA_CPU_FEATURES": features,
        "XDG_CACHE_HOME": str(folder),
    }


def start(form: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(form, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def children(request: pytest.FixtureRequest) -> Iterator[Mapping[str, subprocess.Popen[str]]]:
    """Tests of each form, at once; machine code is kept between runs."""
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("machine-code")
    options = ("-q", "-rfEs", "--most-cases", "4", "-p", "no:cacheprovider", "-p", "no:randomly")
    started = {}
    for name, (form, files, more) in CHILDREN.items():
        if form == WITHOUT_DQ and not HAS_AVX512:
            continue
        paths = [str(Path(__file__).with_name(f"test_{file}.py")) for file in files]
        started[name] = start(form, folder / name, "-m", "pytest", *options, *more, *paths)
    yield started
    for child in started.values():
        child.kill()
        child.communicate()


@pytest.mark.parametrize("name", CHILDREN)
def test_products_and_kernels_are_right(
    children: Mapping[str, subprocess.Popen[str]], name: str
) -> None:
    if name not in children:
        pytest.skip("this processor has no AVX-512")
    out, _ = children[name].communicate(timeout=400)
    assert children[name].returncode == 0, out
    assert " passed" in out
    assert name != PLAIN or "SKIPPED" not in out


def test_what_avx2_lacks_is_refused(request: pytest.FixtureRequest) -> None:
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("machine-code")
    out, _ = start(AVX2, folder / AVX2, "-c", PROBE).communicate(timeout=120)
    name, opened, bfloat16, int8 = out.splitlines()
    assert (name, opened) == ("AVX2; False", "jit")
    assert bfloat16.startswith("precision='bfloat16' on device 'jit' needs AVX512_BF16, which")
    assert int8.startswith("precision='int8' on device 'jit' needs AVX512_VNNI, which")
    assert all("(AVX2)" in text and "precision='float32' runs" in text for text in (bfloat16, int8))


def test_an_x86_without_avx2_is_refused(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    out, _ = start(NARROW, tmp_path, "-c", PROBE).communicate(timeout=120)
    name, *refused = out.splitlines()
    assert name == f"{NARROW}; True"
    assert len(refused) == 3
    for text in refused:
        assert text.startswith("device 'jit' is not available: this processor has no AVX2")
