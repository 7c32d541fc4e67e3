"""Floor 3: similarity edges computed here, from vectors. Takes a library, changes its lists; asks nobody."""
