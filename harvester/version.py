"""The version of the package, which `--version` and the User-Agent show."""

__version__ = "0.1.0"
