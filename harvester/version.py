"""Hold the version, which `--version` and the User-Agent show."""

__version__ = "0.1.0"
