"""Tokenizers from the vocabulary files that came before ``tokenizer.json``."""
