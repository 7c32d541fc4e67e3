"""A command that needs nothing starts without what other commands need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("aiohttp", "joblib", "matplotlib", "msgspec", "networkx", "numpy", "orjson", "pyarrow", "rich", "tenacity")


def test_the_command_line_is_there_before_anything_heavy_is_imported() -> None:
    program = f"import sys, harvester.cli; print(*(name for name in {HEAVY} if name in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []


def test_a_short_command_converts_its_options_without_pydantic() -> None:
    line = "-q export csv -o out.csv --tag a --min-score 0.8 --partition-rows 3 --library none"
    program = (
        f"import sys; sys.argv[1:] = '{line}'.split()\nfrom harvester.cli import main\ntry: main()\n"
        "except SystemExit as end: print(end.code, *(one for one in ('pydantic', 'typer') if one in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["28", "typer"], ended.stderr
