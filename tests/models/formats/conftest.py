"""What tests of files share."""

from __future__ import annotations

import os
import pickle

import pytest


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hostile pickles would call fails."""

    def called(*_: object) -> None:
        raise AssertionError("a pickle was run")

    for module, name in ((os, "system"), (pickle, "load"), (pickle, "loads")):
        monkeypatch.setattr(module, name, called)
