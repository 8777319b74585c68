"""How it runs: physical operators take batches of blocks and return batches of blocks."""
