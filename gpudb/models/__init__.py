"""Checkpoints: from a model folder to weights, tokens and a plan."""
