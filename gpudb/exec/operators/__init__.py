"""Physical operators, one per file, named for how they do it."""
