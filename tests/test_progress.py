"""The progress bar: on a terminal, and nowhere else."""

from __future__ import annotations

import io

import pytest

from gpudb.progress import progress_bar


class Terminal(io.StringIO):
    """Standard error as a terminal would be."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("total", [1, 1000])
def test_a_terminal_shows_what_is_done(monkeypatch: pytest.MonkeyPatch, total: int) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("minilm@1", total, "tokens") as advance:
        advance(total)
    assert "minilm@1" in screen.getvalue()
    assert f"{total}/{total}" in screen.getvalue()
    assert "tokens" in screen.getvalue()


def test_a_terminal_is_cleaned_up_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(KeyboardInterrupt), progress_bar("minilm@1", 5, "tokens"):
        raise KeyboardInterrupt
    assert screen.getvalue().endswith("\x1b[2K")  # the last thing done to the line: erase it


@pytest.mark.parametrize(("kind", "total"), [(io.StringIO, 10), (io.StringIO, 0), (Terminal, 0)])
def test_nothing_in_a_pipe_and_nothing_for_no_work(
    monkeypatch: pytest.MonkeyPatch, kind: type[io.StringIO], total: int
) -> None:
    screen = kind()
    monkeypatch.setattr("sys.stderr", screen)
    with progress_bar("minilm@1", total, "tokens") as advance:
        advance(total)
    assert screen.getvalue() == ""
