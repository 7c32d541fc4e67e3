"""harvester: grow, keep and share a library of Freesound sounds and their similarity graph."""

from importlib.metadata import version

__version__ = version("harvester")
