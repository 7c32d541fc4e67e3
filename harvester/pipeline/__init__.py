"""Floor 3: the ring that a sound walks once: frontier, fetchers, outcomes, the one writer, and back."""
