"""The version: of the package, of the command, and of what the API is told who asks."""

__version__ = "0.1.0"
