"""What makes probabilities of the logits of a classifier, and the score of a pair of texts."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.kernels.attention import softmax_rows
from gpudb.kernels.elementwise import sigmoid
from gpudb.models.architecture import Config
from gpudb.types import HostArray

PROBLEM_TYPES = (
    None,
    "regression",
    "single_label_classification",
    "multi_label_classification",
)
SCORES = {"Sigmoid": "sigmoid", "Identity": "identity"}
"""Class of PyTorch that sentence-transformers names -> function."""


@dataclass(frozen=True, slots=True)
class HeadFunction:
    """From logits to what is answered.

    Parameters
    ----------
    probabilities
        ``softmax``, ``sigmoid`` or ``identity`` of the logits of a text or token.
    score
        The same of the one logit of a pair; or a class that gpudb does not compute.
    pair_types
        Whether the model is told which text of a pair a token is of.
    mask
        Text of the token that stands for a word to be guessed.
    """

    probabilities: str = "softmax"
    score: str = "sigmoid"
    pair_types: bool = True
    mask: str = ""


def read_head_function(
    config: Config, labels: int, activation: str | None, pair_types: bool
) -> HeadFunction:
    """As transformers' pipelines and sentence-transformers' ``CrossEncoder`` have them.

    Parameters
    ----------
    config
        Its ``problem_type``, and what sentence-transformers has left there.
    labels
        How many there are.
    activation
        ``activation_fn`` of ``config_sentence_transformers.json``, which comes first.
    pair_types
        Of the tokenizer.

    Raises
    ------
    CheckpointError
        There is no such problem type.
    """
    problem = config.get("problem_type")
    if problem not in PROBLEM_TYPES:
        raise CheckpointError(
            f"config.json: problem_type is {problem!r}; expected one of "
            f"{', '.join(map(str, PROBLEM_TYPES))}"
        )
    probabilities = "softmax"
    if problem == "regression":
        probabilities = "identity"
    elif problem == "multi_label_classification" or labels == 1:
        probabilities = "sigmoid"
    return HeadFunction(probabilities, _score(config, activation), pair_types)


def _score(config: Config, activation: str | None) -> str:
    """Sigmoid, unless a class of PyTorch is named; others are not trusted there either."""
    settings = config.get("sentence_transformers")
    named = settings.get("activation_fn") if isinstance(settings, dict) else None
    # The name that releases before 4 gave it.
    named = activation or named or config.get("sbert_ce_default_activation_function")
    if not isinstance(named, str) or not named.startswith("torch."):
        return "sigmoid"
    return SCORES.get(named.rpartition(".")[2], named)


def check_score(label: str, function: HeadFunction) -> None:
    """Refuse a score that gpudb does not compute.

    Raises
    ------
    UnsupportedError
        The checkpoint names another class.
    """
    if function.score not in SCORES.values():
        raise UnsupportedError(
            f"score: model {label} makes scores with {function.score}; gpudb computes "
            f"{' and '.join(SCORES)}. Set activation_fn to one of them, and import it again"
        )


def apply(function: str, logits: HostArray) -> HostArray:
    """``softmax`` along the last axis, or ``sigmoid`` or ``identity`` of each element."""
    if function == "identity":
        return logits
    if function == "sigmoid":
        return sigmoid(logits)
    probabilities = logits.copy()
    softmax_rows(probabilities)
    return probabilities
