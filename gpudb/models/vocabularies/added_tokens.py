"""Tokens that a tokenizer finds as they are: special ones, and those added behind a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.processors import TemplateProcessing

from gpudb.errors import CheckpointError
from gpudb.models.files import AGAIN, file_names, read_json_object

ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
"""In the order in which transformers puts missing ones behind a vocabulary."""

FLAGS = ("single_word", "lstrip", "rstrip", "normalized")


@dataclass(frozen=True, slots=True)
class Family:
    """What tokenizers of one class share, unless their files say otherwise."""

    tokens: Mapping[str, str]
    """Role -> token."""
    single: str
    """What stands around a text; roles in braces, the number behind a colon is the type."""
    pair: str
    """The same for two texts."""
    mask_takes_space: bool = False
    """The mask stands for the space before it as well."""


@dataclass(frozen=True, slots=True)
class AddedTokens:
    """The added tokens of a model folder, as its settings describe them."""

    file: Path
    by_role: Mapping[str, AddedToken]
    by_id: Mapping[int, AddedToken]

    def name(self, role: str) -> str:
        """The token of a role."""
        return str(self.by_role[role].content)

    def with_id(self, role: str, tokenizer: Tokenizer) -> tuple[str, int]:
        """The token of a role, and its id once it is added."""
        number = tokenizer.token_to_id(self.name(role))
        assert number is not None
        return self.name(role), number

    def add_to(self, tokenizer: Tokenizer, more: Sequence[AddedToken] = ()) -> None:
        """Make ``tokenizer`` find them; those beyond its vocabulary get the next ids.

        Raises
        ------
        CheckpointError
            A token gets another id than the settings give it.
        """
        ordered = [self.by_id[number] for number in sorted(self.by_id)]
        tokenizer.add_tokens([*ordered, *self.by_role.values(), *more])
        for number, token in self.by_id.items():
            if (found := tokenizer.token_to_id(token.content)) != number:
                raise CheckpointError(
                    f"{self.file}: added token {token.content!r} has id {number}, but the "
                    f"vocabulary beside it gives {found}; the files do not belong together. {AGAIN}"
                )


def read_added_tokens(folder: Path, config: Mapping[str, Any], family: Family) -> AddedTokens:
    """The added tokens that ``tokenizer_config.json`` (``config``) and the files beside it name.

    Flags of a token (whether it takes the space before it, …) are those of its entry in
    ``added_tokens_decoder``; folders without that have them in ``special_tokens_map.json``.
    """
    names = file_names(folder)
    file = folder / "tokenizer_config.json"
    by_id: dict[int, AddedToken] = {}
    for number, entry in _object(config.get("added_tokens_decoder", {}), file).items():
        if not number.isdecimal():
            raise CheckpointError(
                f"{file}: added_tokens_decoder has the key {number!r}; expected ids. {AGAIN}"
            )
        by_id[int(number)] = _token(entry, file)
    settings = config
    if not by_id and "special_tokens_map.json" in names:
        settings = {**config, **read_json_object(folder / "special_tokens_map.json")}
    described = {token.content: token for token in by_id.values()}
    by_role = {}
    for role in ROLES:
        found = settings.get(f"{role}_token") or family.tokens.get(role)
        if found is not None:
            spaced = role == "mask" and family.mask_takes_space
            token = _token(found, file, special=True, lstrip=spaced)
            by_role[role] = described.get(token.content, token)
    if not by_id and "added_tokens.json" in names:
        special = {token.content: token for token in by_role.values()}
        file = folder / "added_tokens.json"
        for content, number in read_json_object(file).items():
            if type(number) is not int:
                raise CheckpointError(f"{file}: {content!r} has the id {number!r}. {AGAIN}")
            by_id[number] = special.get(content, AddedToken(content))
    return AddedTokens(file, by_role, by_id)


def around(family: Family, tokenizer: Tokenizer, added: AddedTokens) -> TemplateProcessing:
    """What the family puts around texts, with the tokens of this folder."""
    tokens = {role: added.name(role) for role in added.by_role}
    used = [role for role in tokens if f"{{{role}}}" in family.single + family.pair]
    return TemplateProcessing(
        single=family.single.format(**tokens),
        pair=family.pair.format(**tokens),
        special_tokens=[added.with_id(role, tokenizer) for role in used],
    )


def _token(entry: Any, file: Path, special: bool = False, lstrip: bool = False) -> AddedToken:
    """A token written as its text, or as an object with its text and flags."""
    if isinstance(entry, str):
        return AddedToken(entry, special=special, lstrip=lstrip)
    entry = _object(entry, file)
    content = entry.get("content")
    if not isinstance(content, str) or not content:
        raise CheckpointError(f"{file}: token {entry!r} has no text in content. {AGAIN}")
    flags = {flag: entry[flag] is True for flag in FLAGS if flag in entry}
    return AddedToken(content, special=special or entry.get("special") is True, **flags)


def _object(value: Any, file: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise CheckpointError(f"{file}: found {value!r:.80} where tokens are described. {AGAIN}")
    return value
