"""Texts that trip tokenizers."""

from __future__ import annotations

import random

ODD = [
    "",
    " ",
    "\t\n\r\x0b\x0c",
    "a",
    "Z",
    "é",
    "e\u0301",
    "\u0301",
    "\u0301" * 40,
    "Ａｆｕｌｌｗｉｄｔｈ",
    "ﬁ ligature",
    "İstanbul ISPARTA ıspanak ß ẞ",
    "Ǆ ǅ ǆ",
    "नमस्ते दुनिया",
    "مرحبا بالعالم",
    "שלום עולם mixed עם English",
    "\u202eright to left override\u202c",
    "你好，世界",
    "日本語のテキスト。カタカナ",
    "한국어 텍스트",
    "𠀀𪜀 extension",
    "😀😃 👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "🇩🇪🇯🇵",
    "zero\u200bwidth\u200cjoin\u200ders\ufeff",
    "soft\u00adhyphen",
    "no\u00a0break\u2003space\u3000ideographic",
    "line\u2028para\u2029end",
    "nul\0in the middle",
    "\0",
    "\x01\x02\x7f\x80\x9f controls",
    "\ufffd replaced \ufffd",
    "\ue000 private \U0010ffff",
    "x" * 99,
    "x" * 100,
    "x" * 101,
    "pneumono" * 400,
    "http://example.com/a?b=c&d=%20#e",
    "user@example.com, #tag @name",
    "1,234.56 3e-10 0x1F ½ ² ①",
    "def f(x): return x**2 # python",
    "!!!???...,,,;;;:::---___",
    "“quotes” ‘single’ «guillemets» — dash … ellipsis",
    "$ £ € ¥ ₿ ± × ÷ ≠ ∑ √ ∞ →",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "[cls] a[SEP]b [MASK",
    "##ing ## # ##",
    "unaffable embeddings tokenization",
    "word " * 600,
    "你" * 700,
    "\U0001d400\U0001d401 math bold",
    "Ω Ω K K Å Å",
    "a\u0300\u0316b\u0323\u0307",
]


def odd_texts(count: int = 500) -> list[str]:
    """``ODD`` and seeded mixtures of it, ``count`` in all."""
    rng = random.Random(20)
    pool = [chr(c) for c in range(0x3000) if not 0xD800 <= c < 0xE000]
    texts = list(ODD)
    while len(texts) < count:
        words = [rng.choice(ODD)[: rng.randint(1, 30)] for _ in range(rng.randint(1, 12))]
        words += ["".join(rng.choices(pool, k=rng.randint(1, 9))) for _ in range(rng.randint(0, 5))]
        rng.shuffle(words)
        texts.append(rng.choice(["", " ", "\n"]).join(words))
    return texts
