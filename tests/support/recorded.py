"""The recorded data in `tests/data` (its README says what each file holds), read from there by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1] / "data"
FILTER_CATALOGUE = DATA / "filter_catalogue.jsonl"


def read_rows(path: Path) -> list[Any]:
    """Return the JSON value of each line of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def recorded_exchanges() -> dict[str, dict[str, Any]]:
    """Return the recorded requests with their responses by name."""
    return {exchange["name"]: exchange for exchange in read_rows(DATA / "responses.jsonl")}


def recorded_filters() -> list[dict[str, Any]]:
    """Return the recorded filters, each with the ids that it finds in `FILTER_CATALOGUE`."""
    return read_rows(DATA / "filters.jsonl")
