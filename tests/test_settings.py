from __future__ import annotations

import pytest

from gpudb import GpudbError
from gpudb.settings import Settings


def test_what_is_not_changed_stays() -> None:
    settings = Settings().changed(block_size=16)
    assert settings == Settings("auto", 16)
    assert settings.changed(execution="relational") == Settings("relational", 16)


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
