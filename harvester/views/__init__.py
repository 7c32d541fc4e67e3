"""Floor 3: read-only views of a library: they take its state and give text or files. Nothing here writes to it."""
