"""File formats of checkpoints, one reader per file; ``opening`` lists them."""
