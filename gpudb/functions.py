"""What a model can be asked about texts, in SQL and in Python: names, arguments and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gpudb.embed_options import EmbedOptions
from gpudb.errors import InputError


@dataclass(frozen=True, slots=True)
class NoOptions:
    """Of a function that has none."""

    def __str__(self) -> str:
        return ""


NO_OPTIONS = NoOptions()


@dataclass(frozen=True, slots=True)
class WordOptions:
    """Options of ``fill_mask``.

    Parameters
    ----------
    top
        How many words, the likeliest first.

    Raises
    ------
    InputError
        It is no number of words.
    """

    top: int = 5

    def __post_init__(self) -> None:
        if type(self.top) is not int or self.top < 1:
            raise InputError(
                f"fill_mask: top is {self.top!r}; expected a whole number of at least 1"
            )

    def __str__(self) -> str:
        return f"{self.top} words"


Options: TypeAlias = NoOptions | EmbedOptions | WordOptions


@dataclass(frozen=True, slots=True)
class ModelFunction:
    """``name(model, *texts)``.

    Parameters
    ----------
    name
        In SQL.
    runs
        What it has the model compute; functions that have it compute the same share that.
    texts
        Names of its arguments after the model, columns of texts.
    more
        Further texts, which a call may leave out.
    options
        What else a call may choose.
    changing
        Options that change what the model computes; the others change its form alone.
    """

    name: str
    runs: str
    texts: tuple[str, ...] = ("text",)
    more: tuple[str, ...] = ()
    options: type[Options] = NoOptions
    changing: tuple[str, ...] = ()

    @property
    def example(self) -> str:
        """A call of it."""
        return f"{self.name}('model', {', '.join(self.texts)})"

    def run(self, model: str, texts: int, options: Options) -> tuple[object, ...]:
        """Equal for calls that have the model compute the same of so many equal texts."""
        return (self.runs, model, texts, *(getattr(options, name) for name in self.changing))


FUNCTIONS: Mapping[str, ModelFunction] = {
    function.name: function
    for function in (
        ModelFunction("embed", "vectors", options=EmbedOptions, changing=("prompt",)),
        ModelFunction("classify", "probabilities", more=("pair",)),
        ModelFunction("classify_all", "probabilities", more=("pair",)),
        ModelFunction("tag", "spans"),
        ModelFunction("score", "scores", ("a", "b")),
        ModelFunction("fill_mask", "words", options=WordOptions, changing=("top",)),
    )
}
"""By name."""
