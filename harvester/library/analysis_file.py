"""`analysis.json`: what `analyse` computed, beside the library.

It is no state of the library: it can be computed again, and a file that cannot be read changes no sound. It holds ids
and numbers, and no text of a sound, so a withdrawn sound leaves no name in it. The guide's topic `analysis` describes
it. The file may come from anyone, so its size is bounded and each value is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from harvester.counts import counted
from harvester.errors import problem_of
from harvester.graph import MEASURES, Measures, SoundGraph, graph_digest
from harvester.json_text import json_text
from harvester.model import LARGEST_ID, is_sound_id
from harvester.storage import ANALYSIS, REAL_FILES, Files, disk_errors, read_bounded, refuse_link, write_atomically

FORMAT = 1
LARGEST_BYTES = 1 << 28
"""The file of three million sounds has this size."""

_RENEW = "`harvester analyse` makes a new one"
_WITHOUT = ("betweenness",)
_FACTS: dict[str, type] = {
    "versions": dict, "source": str, "graph_digest": str, "random_seed": int, "betweenness_sources": int,
    "selection": dict, "figures": dict,
}  # fmt: skip
"""What the file says of an analysis besides the measures, in its order."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The measures of a library's sounds, and what they were computed from.

    `graph_digest` is that of the whole library's graph. `selection` has the conditions that chose the sounds by name,
    and is empty for all of them. `figures` are those of the graph as a whole, `versions` those of the programs.
    """

    source: str
    graph_digest: str
    random_seed: int
    betweenness_sources: int
    selection: Mapping[str, Any]
    versions: Mapping[str, str]
    figures: Mapping[str, Any]
    measures: Mapping[int, Measures]


@dataclass(frozen=True, slots=True)
class LoadedAnalysis:
    """The measures of a library by id, and a line about them if needed.

    `usable` tells whether there is an analysis of this library.
    """

    measures: Mapping[int, Measures] = field(default_factory=dict)
    usable: bool = False
    notices: tuple[str, ...] = ()


def save_analysis(folder: Path, analysis: Analysis, files: Files = REAL_FILES) -> Path:
    """Replace the library's analysis; durable on return.

    Needs no lock. A crash leaves the old or the new file. Equal analyses give equal bytes. Raises `DiskFull` or
    `LibraryUnwritable`; then the earlier file is unchanged.
    """
    path = folder / ANALYSIS
    with disk_errors(path, "the earlier analysis is unchanged"):
        refuse_link(path)
        write_atomically(path, (text.encode() for text in _texts(analysis)), files)
    return path


def load_analysis(folder: Path, state: SoundGraph) -> LoadedAnalysis:
    """Return the measures that belong to the library in `folder`.

    `state` is what the library holds now. A file that cannot be read, or of another catalogue, gives none and a notice;
    one that is older than the library's graph gives its measures and a notice. Raises nothing.
    """
    path = folder / ANALYSIS
    try:
        found = orjson.loads(read_bounded(path, LARGEST_BYTES))
        analysis = _read(found)
    except FileNotFoundError:
        return LoadedAnalysis()
    except orjson.JSONDecodeError:
        return _unusable(path, "it is not JSON")
    except (OSError, ValueError) as error:
        return _unusable(path, str(error) if type(error) is ValueError else problem_of(error, path))
    if analysis.source != state.source:
        return _unusable(path, "it is of another library")
    return LoadedAnalysis(analysis.measures, True, tuple(_why_stale(path, analysis, state)))


def _unusable(path: Path, why: str) -> LoadedAnalysis:
    return LoadedAnalysis(notices=(f"{path}: {why}; it is not used, and {_RENEW}",))


def _why_stale(path: Path, analysis: Analysis, state: SoundGraph) -> Iterator[str]:
    if analysis.graph_digest == graph_digest(state.graph, state.source):
        return
    unknown = sum(sound_id not in analysis.measures and not state.is_gone(sound_id) for sound_id in state.graph)
    # An analysis of a selection never had all sounds, so their number would say nothing.
    lacking = (
        "" if analysis.selection or not unknown else f", {counted(unknown, 'sound has', 'sounds have')} no measures"
    )
    yield f"{path}: the library has changed since it was analysed{lacking}; {_RENEW}"


def _texts(analysis: Analysis) -> Iterator[str]:
    """Yield the file: facts, then a line for each column."""
    facts = {"format": FORMAT} | {name: getattr(analysis, name) for name in _FACTS}
    yield "{\n" + "".join(f"{json_text(name)}: {json_text(value)},\n" for name, value in facts.items())
    ids = sorted(analysis.measures)
    yield f'"sounds": {{\n"id": {json_text(ids)}'
    for name in MEASURES:
        yield f",\n{json_text(name)}: {json_text([getattr(analysis.measures[sound_id], name) for sound_id in ids])}"
    yield "\n}\n}\n"


def _read(found: Any) -> Analysis:
    """Return the analysis in a JSON value; raise `ValueError` for none."""
    version = found.get("format") if isinstance(found, dict) else None
    if type(version) is not int or version < 1:
        raise ValueError("it is not an analysis of harvester")
    if version > FORMAT:
        raise ValueError(f"it has format {version}, and this harvester reads {FORMAT}: please update harvester")
    facts = {name: _typed(found, name, kind) for name, kind in _FACTS.items()}
    return Analysis(**facts, measures=_measures(_typed(found, "sounds", dict)))


def _typed(found: Mapping[str, Any], name: str, kind: type) -> Any:
    value = found.get(name)
    if type(value) is not kind:
        raise ValueError(f"its {name} is missing or malformed")
    return value


def _measures(columns: Mapping[str, Any]) -> dict[int, Measures]:
    ids = _typed(columns, "id", list)
    if not all(map(is_sound_id, ids)) or any(one >= other for one, other in pairwise(ids)):
        raise ValueError("its ids are not ascending ids of sounds")
    values = [_column(columns, name, len(ids)) for name in MEASURES]
    return {sound_id: Measures(*row) for sound_id, row in zip(ids, zip(*values, strict=True), strict=True)}


def _column(columns: Mapping[str, Any], name: str, count: int) -> list[Any]:
    values = _typed(columns, name, list)
    valid = _is_count if MEASURES[name] is int else _is_share
    if len(values) != count or not all(valid(one) or (one is None and name in _WITHOUT) for one in values):
        raise ValueError(f"its {name} is missing or malformed")
    return values if MEASURES[name] is int else [None if one is None else float(one) for one in values]


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_ID


def _is_share(value: object) -> bool:
    # NaN is within no bounds: every comparison with it is false.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
