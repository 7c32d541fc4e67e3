"""Encode a selection as a stream of JSON Lines, node-link JSON or CSV.

JSON holds values as the library has them; what strict JSON cannot say stands beside as a text. CSV has no lists and no
null bytes: lists are joined, null bytes removed, lone surrogates replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from harvester.exports.csv_text import csv_line, disarmed, quoted
from harvester.exports.table import joined, plan_columns, rows
from harvester.exports.whole import WHOLE_KEYS, WholeTexts
from harvester.graph import Edge, Selected
from harvester.json_text import is_exact, json_text, without_lone_surrogates


def encode_jsonl(selected: Selected) -> Iterator[str]:
    """Yield a JSON line for each sound.

    It is an object of the sound's record, its stamps, its measures and its `neighbours`. What this does not say exactly
    is in `record`, what the library holds besides in `library`; `WholeTexts` tells of both.
    """
    whole = WholeTexts(selected)
    for place, sound_id in enumerate(selected.sound_ids):
        sound = _sound(selected, sound_id)
        edges = selected.edges_of(sound_id)
        sound["neighbours"] = [_ends(edge) for edge in edges]
        plain = json_text(sound)
        if not (whole.shows_all(sound_id, edges) and is_exact(sound, plain)):
            sound["record"] = whole.text(sound_id)
        if library := whole.library(place):
            sound["library"] = library
        yield (json_text(sound) if "record" in sound or library else plain) + "\n"
    if not len(selected) and (library := whole.library(0)):
        yield json_text({"library": library}) + "\n"


def encode_node_link(selected: Selected) -> Iterator[str]:
    """Yield node-link JSON.

    `networkx.node_link_graph(data, edges="edges")` and D3 read it. `record` at a node and `library` at the graph are
    those of `WholeTexts`, which networkx leaves as they are.
    """
    state, whole = selected.state, WholeTexts(selected)
    facts = {"source": state.source, "similarity_space": state.space, "library": whole.all_of_library()}
    yield f'{{"directed":true,"multigraph":false,"graph":{json_text(facts)},"nodes":['
    for place, sound_id in enumerate(selected.sound_ids):
        node = {**_sound(selected, sound_id), "record": whole.text(sound_id)}
        yield (",\n" if place else "\n") + json_text(node)
    yield '\n],"edges":['
    for place, edge in enumerate(selected.edges()):
        ends = _ends(edge)
        yield (",\n" if place else "\n") + json_text({"source": edge.source, "target": ends.pop("id"), **ends})
    yield "\n]}\n"


def encode_csv_sounds(selected: Selected, *, faithful: bool = False) -> Iterator[str]:
    """Yield a header and a CSV row for each sound.

    Nulls are empty cells; formulas are disarmed unless `faithful`.
    """
    columns = plan_columns(selected)
    return encode_csv_rows([column.name for column in columns], rows(selected, columns), faithful=faithful)


def encode_csv_rows(names: list[str], table_rows: Iterable[dict[str, Any]], *, faithful: bool = False) -> Iterator[str]:
    """Yield a header of these names and a CSV row for each row."""
    yield _line(names, faithful)
    for row in table_rows:
        yield _line(map(row.get, names), faithful)


def encode_csv_edges(selected: Selected, *, faithful: bool = False) -> Iterator[str]:
    """Yield a header and a row for each edge.

    Columns: source, target, score, relation, weights.
    """
    yield csv_line(["source", "target", "score", "relation", "weights"])
    for edge in selected.edges():
        yield _line((edge.source, edge.target, edge.score, edge.relation, edge.weights), faithful)


def _sound(selected: Selected, sound_id: int) -> dict[str, Any]:
    found = {"id": sound_id, **selected.state.attributes(sound_id)}
    found |= {"id": sound_id, "processed": sound_id in selected.state.processed}
    found |= selected.state.measures_of(sound_id)
    for name in WHOLE_KEYS:
        found.pop(name, None)  # a field of this name is in the canonical text alone
    return found


def _ends(edge: Edge) -> dict[str, Any]:
    values = {"id": edge.target, "score": edge.score, "relation": edge.relation, "weights": edge.weights}
    return {name: value for name, value in values.items() if value is not None}


def _line(values: Iterable[Any], faithful: bool) -> str:
    # Only texts can need quotes, and most cells are numbers or empty.
    return ",".join(["" if value is None else _cell(value, faithful) for value in values]) + "\n"


def _cell(value: Any, faithful: bool) -> str:
    kind = type(value)
    if kind is str or kind is list:
        text: str = joined(value)
        if "\0" in text or not text.isascii():
            text = without_lone_surrogates(text.replace("\0", ""))
        return quoted(text if faithful else disarmed(text))
    if kind is bool:
        return "true" if value else "false"
    return repr(value)
