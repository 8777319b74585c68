from __future__ import annotations

from typing import Any

import pytest

from gpudb import GpudbError, connect
from gpudb.settings import Settings


def test_what_is_not_changed_stays() -> None:
    settings = Settings().changed(block_size=16)
    assert settings == Settings("auto", 16)
    assert settings.changed(execution="relational") == Settings("relational", 16)


@pytest.mark.parametrize(
    ("name", "precision"),
    [("bf16", "bfloat16"), ("fp16", "float16"), ("fp32", "float32"), ("int8", "int8")],
)
def test_precisions_have_short_names(name: str, precision: str) -> None:
    assert Settings(precision=name).precision == precision
    assert Settings().changed(precision=name) == Settings(precision=precision)


@pytest.mark.parametrize("precision", ["bf17", None, ["bf16"]])
def test_what_is_no_precision_is_refused(precision: Any) -> None:
    with pytest.raises(GpudbError, match="float32"):
        connect(device="numpy", precision=precision)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"execution": "fast"}, "auto, fused, relational"),
        ({"block_size": 0}, "at least 1"),
        ({"block_size": "16"}, "'16'"),
        ({"block_size": True}, "True"),
        ({"colour": 1}, "settings are: execution, block_size"),
    ],
)
def test_refusals_say_what_is_expected(change, part) -> None:
    with pytest.raises(GpudbError, match=part):
        Settings().changed(**change)
