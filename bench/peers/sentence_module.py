"""The model as one PyTorch module from token numbers to vectors, for export."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("input_ids", "attention_mask")


def sentence_module(model: Path, attention: str) -> tuple[Any, tuple[Any, Any]]:
    """BERT, mean over tokens, unit length; and inputs that show their form."""
    import torch
    from transformers import BertModel, logging

    logging.set_verbosity_error()

    class Sentence(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = BertModel.from_pretrained(
                model, attn_implementation=attention, add_pooling_layer=False
            )

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.bert(
                input_ids=input_ids,
                attention_mask=attention_mask,
                token_type_ids=torch.zeros_like(input_ids),
            ).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * weights).sum(1) / weights.sum(1)
            return torch.nn.functional.normalize(mean, dim=1)

    ids = torch.arange(1000, 1051).reshape(3, 17)
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0
    return Sentence().eval(), (ids, mask)


@contextmanager
def tracing() -> Iterator[None]:
    """Exporters trace Python code and warn about each branch; the answers are checked later."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
