"""A command that needs nothing starts without what other commands need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("aiohttp", "joblib", "matplotlib", "msgspec", "networkx", "numpy", "orjson", "pyarrow", "rich", "tenacity")


def test_the_command_line_is_there_before_anything_heavy_is_imported() -> None:
    program = f"import sys, harvester.cli; print(*(name for name in {HEAVY} if name in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
