"""What turns the token vectors of an encoder into one vector per text.

sentence-transformers describes it in ``modules.json``: a list of modules, each with a folder of
settings. Class paths differ between its releases, so modules go by the last part of their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

from gpudb.errors import CheckpointError, InputError, UnsupportedError
from gpudb.models.files import AGAIN, file_names, read_json, read_json_object

PoolingName: TypeAlias = Literal["mean", "cls", "max", "last", "root_mean", "rising_mean"]

POOLINGS: Mapping[str, PoolingName] = {
    "mean": "mean",
    "cls": "cls",
    "max": "max",
    "lasttoken": "last",
    "mean_sqrt_len_tokens": "root_mean",
    "weightedmean": "rising_mean",
}
"""Name in sentence-transformers -> kind of :mod:`gpudb.kernels.pool`."""

MODULES = ("Transformer", "CLIPModel", "Pooling", "Dense", "Normalize")
READABLE = (
    "Transformer, Pooling and optionally Normalize, in this order, after Pooling any Dense; or "
    "CLIPModel and optionally Normalize"
)

# The form before sentence-transformers 5.4: one flag per mode.
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}

# Old releases named the settings of the Transformer module after the architecture.
TRANSFORMER_SETTINGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)

# A model without Pooling, which sentence-transformers calls a cross-encoder.
CLASSIFIER = "sequence-classification"

# Settings of a module that change what it computes, and the only value gpudb computes.
TRANSFORMER_DEFAULTS = {
    "transformer_task": "feature-extraction",
    "module_output_name": "token_embeddings",
    "query_expansion": None,
}
CLASSIFIER_DEFAULTS = {
    "transformer_task": CLASSIFIER,
    "module_output_name": "scores",
    "query_expansion": None,
}
CLIP_DEFAULTS = {
    "transformer_task": "feature-extraction",
    "module_output_name": "sentence_embedding",
    "query_expansion": None,
}
CLIP_METHODS = {"text": "get_text_features", "image": "get_image_features"}
NORMALIZE_DEFAULTS = {
    "module_input_name": "sentence_embedding",
    "module_output_name": "sentence_embedding",
}

NO_LIMIT = 2**31  # transformers writes 10^30 into model_max_length for "no limit"


@dataclass(frozen=True, slots=True)
class EmbedFunction:
    """From text to vector, around the encoder.

    Parameters
    ----------
    pooling
        How the token vectors of one text become one vector.
    normalize
        Scale the vector to length 1.
    max_tokens
        Longer texts are cut to this many tokens, special tokens included; None means that only
        the encoder's positions limit them.
    prompt
        Put before every text, unless a call names another.
    prompts
        Those that a call may name.
    include_prompt
        Whether the tokens of the prompt are pooled with the others.
    dense
        What is computed between pooling and normalising, see :mod:`gpudb.models.dense`: a plan as
        JSON; empty for nothing.
    images
        Of a model of images: what is done to them before they are cut into patches, the fields of
        :class:`gpudb.models.images.ImageSettings`.
    """

    pooling: PoolingName = "mean"
    normalize: bool = False
    max_tokens: int | None = None
    prompt: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
    include_prompt: bool = True
    dense: str = ""
    images: Mapping[str, Any] | None = None

    def prompt_named(self, name: str | None, model: str) -> str:
        """The text of a prompt of ``model``; of the default for None.

        Raises
        ------
        InputError
            There is no such prompt.
        UnsupportedError
            The model does not pool over its tokens.
        """
        if name is None:
            return self.prompt
        if name not in self.prompts:
            there = ", ".join(map(repr, self.prompts)) or "none"
            raise InputError(f"model {model!r} has no prompt {name!r}; prompts are: {there}")
        if self.prompts[name] and not self.include_prompt:
            raise UnsupportedError(
                f"prompt {name!r} of model {model!r}: its pooling leaves the prompt's tokens out "
                "(include_prompt is false), and gpudb pools over all tokens"
            )
        return self.prompts[name]


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """Where the encoder of a model folder lies, and what is done around it.

    Parameters
    ----------
    encoder
        Folder of the encoder's config, weights and tokenizer.
    function
        What turns its output into one vector per text.
    lower_case
        Texts are lower-cased before the tokenizer sees them.
    activation
        The class that makes scores of logits, where sentence-transformers names one.
    dense
        Folders of the linear steps after the pooling.
    says_pooling
        ``function`` says how vectors are made; otherwise the architecture does.
    """

    encoder: Path
    function: EmbedFunction
    lower_case: bool = False
    activation: str | None = None
    dense: tuple[Path, ...] = ()
    says_pooling: bool = True


def read_sentence_model(folder: Path) -> SentenceModel:
    """Read ``modules.json`` and the settings it points to; without it, plain mean pooling.

    Raises
    ------
    CheckpointError
        One of the files is missing or broken.
    UnsupportedError
        A module, a pooling or a setting that gpudb does not compute.
    """
    names = file_names(folder)
    if "modules.json" not in names:
        function = EmbedFunction(max_tokens=_max_tokens(folder, {}))
        return SentenceModel(folder, function, says_pooling=False)
    modules, dense = _read_modules(folder / "modules.json")
    encoder = folder / modules["CLIPModel" if "CLIPModel" in modules else "Transformer"]
    if "CLIPModel" in modules or ("Pooling" not in modules and _makes_vectors(encoder)):
        return _read_clip(folder, encoder, modules.get("Normalize"))
    if "Pooling" not in modules:
        return _read_classifier(folder, encoder)
    settings = _transformer_settings(encoder, TRANSFORMER_DEFAULTS)
    pooling = folder / modules["Pooling"] / "config.json"
    prompt, prompts = _prompts(folder / "config_sentence_transformers.json")
    function = EmbedFunction(
        pooling=_pooling(pooling),
        normalize=_normalize(folder, modules.get("Normalize")),
        max_tokens=_max_tokens(encoder, settings),
        prompt=prompt,
        prompts=prompts,
        include_prompt=read_json_object(pooling).get("include_prompt") is not False,
    )
    _check_prompt_pooled(pooling, function)
    return SentenceModel(
        encoder,
        function,
        lower_case=settings.get("do_lower_case") is True,
        dense=tuple(folder / path for path in dense),
    )


def _makes_vectors(encoder: Path) -> bool:
    """Whether the module Transformer is used as CLIPModel is, as newer releases save it."""
    modalities = _transformer_settings(encoder, {}).get("modality_config")
    if not isinstance(modalities, dict):
        return False
    methods = {k: m.get("method") for k, m in modalities.items() if isinstance(m, dict)}
    return methods == CLIP_METHODS


def _read_clip(folder: Path, encoder: Path, normalize: str | None) -> SentenceModel:
    """A folder whose encoder makes vectors of texts and images, by its own steps."""
    settings = _transformer_settings(encoder, CLIP_DEFAULTS)
    prompt, prompts = _prompts(folder / "config_sentence_transformers.json")
    function = EmbedFunction(
        normalize=_normalize(folder, normalize),
        max_tokens=_max_tokens(encoder, settings),
        prompt=prompt,
        prompts=prompts,
    )
    return SentenceModel(encoder, function, says_pooling=False)


def _read_classifier(folder: Path, encoder: Path) -> SentenceModel:
    """A folder of sentence-transformers' ``CrossEncoder``."""
    settings = _transformer_settings(encoder, CLASSIFIER_DEFAULTS)
    if settings.get("transformer_task") != CLASSIFIER:
        raise UnsupportedError(
            f"{folder / 'modules.json'}: found the modules Transformer alone, without a "
            f"transformer_task; gpudb computes {READABLE}, or Transformer alone for {CLASSIFIER!r}"
        )
    file = folder / "config_sentence_transformers.json"
    prompt, _ = _prompts(file)
    if prompt:
        raise UnsupportedError(
            f"{file}: the default prompt is {prompt!r}; gpudb scores pairs without one. Set "
            "default_prompt_name to null"
        )
    activation = read_json_object(file).get("activation_fn") if file.is_file() else None
    return SentenceModel(
        encoder,
        EmbedFunction(max_tokens=_max_tokens(encoder, settings)),
        lower_case=settings.get("do_lower_case") is True,
        activation=activation if isinstance(activation, str) else None,
    )


def _read_modules(file: Path) -> tuple[dict[str, str], list[str]]:
    """Module name -> its folder, relative to the model's; and those of Dense, which may be many."""
    entries = read_json(file)
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise CheckpointError(f"{file}: expected a JSON list of objects, one per module. {AGAIN}")
    modules: dict[str, str] = {}
    dense: list[str] = []
    for entry in entries:
        kind, path = entry.get("type"), entry.get("path")
        if not isinstance(kind, str) or not isinstance(path, str) or not _is_inside(path):
            raise CheckpointError(
                f"{file}: module {entry} has no usable type and path; expected a class name and "
                f"a folder inside the model's. {AGAIN}"
            )
        name = kind.rpartition(".")[2]
        if name not in MODULES:
            raise UnsupportedError(
                f"{file}: module {kind!r} is not supported; gpudb computes {READABLE}"
            )
        if name == "Dense":
            dense.append(path)
        else:
            modules[name] = path
    order = [entry["type"].rpartition(".")[2] for entry in entries]
    pooled = ["Transformer", "Pooling", *["Dense"] * len(dense)]
    clip = ["CLIPModel"]
    if order not in ([*pooled, "Normalize"], pooled, ["Transformer"], [*clip, "Normalize"], clip):
        raise UnsupportedError(
            f"{file}: found the modules {', '.join(order) or 'none'}; gpudb computes {READABLE}"
        )
    return modules, dense


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not path.startswith("/") and ".." not in parts and "\0" not in path


def _transformer_settings(encoder: Path, computed: Mapping[str, Any]) -> dict[str, Any]:
    names = file_names(encoder)
    for name in TRANSFORMER_SETTINGS:
        if name in names:
            settings = read_json_object(encoder / name)
            _check_settings(encoder / name, settings, computed)
            return settings
    return {}


def _check_settings(file: Path, settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    for key, default in defaults.items():
        if settings.get(key, default) != default:
            raise UnsupportedError(
                f"{file}: {key} is {settings[key]!r}; gpudb computes only {default!r}"
            )


def _pooling(file: Path) -> PoolingName:
    """The pooling in either form of the file: one ``pooling_mode``, or one flag per mode."""
    settings = read_json_object(file)
    found = settings.get("pooling_mode")
    if found is None:
        found = [mode for flag, mode in POOLING_FLAGS.items() if settings.get(flag)] or "mean"
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, str) and found in POOLINGS:
        return POOLINGS[found]
    raise UnsupportedError(
        f"{file}: pooling {found!r} is not supported; gpudb computes one of {', '.join(POOLINGS)}"
    )


def _check_prompt_pooled(file: Path, function: EmbedFunction) -> None:
    if function.prompt and not function.include_prompt:
        raise UnsupportedError(
            f"{file}: include_prompt is false, and the default prompt is {function.prompt!r}; "
            "gpudb pools over all tokens. Set default_prompt_name to null in "
            "config_sentence_transformers.json."
        )


def _normalize(folder: Path, path: str | None) -> bool:
    if path is None:
        return False
    file = folder / path / "config.json"
    if file.is_file():  # old releases wrote none, and an empty folder does not survive git
        _check_settings(file, read_json_object(file), NORMALIZE_DEFAULTS)
    return True


def _max_tokens(encoder: Path, settings: Mapping[str, Any]) -> int | None:
    """``max_seq_length``, or, as newer releases save it, the tokenizer's ``model_max_length``."""
    found, key = settings.get("max_seq_length"), "max_seq_length"
    file = encoder / "tokenizer_config.json"
    if found is None and file.is_file():
        found, key = read_json_object(file).get("model_max_length"), "model_max_length"
    if found is None or (isinstance(found, int | float) and found >= NO_LIMIT):
        return None
    if type(found) is not int or found < 1:
        raise CheckpointError(
            f"{encoder}: {key} is {found!r}; expected a whole number of at least 1, or null"
        )
    return found


def _prompts(file: Path) -> tuple[str, dict[str, str]]:
    """The default prompt, and all of them by name."""
    settings = read_json_object(file) if file.is_file() else {}
    name, prompts = settings.get("default_prompt_name"), settings.get("prompts") or {}
    named = prompts if isinstance(prompts, dict) else {}
    if name is not None and not (isinstance(name, str) and isinstance(named.get(name), str)):
        raise CheckpointError(
            f"{file}: default_prompt_name is {name!r}, which is no text in prompts; "
            "expected the name of one of the prompts, or null"
        )
    if named is not prompts or not all(isinstance(text, str) for text in named.values()):
        raise CheckpointError(f"{file}: prompts is {prompts!r:.200}; expected an object of texts")
    return named.get(name, ""), named
