"""Write a selection as GraphML or GEXF, for Gephi, networkx and yEd.

Invariant: the output is well-formed XML 1.0 for any text: characters that XML cannot hold are removed, others are
escaped where needed (also a carriage return, which a parser would change). Lists are joined, nulls dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harvester.exports.table import joined, plan_columns, rows
from harvester.graph import Edge, Selected

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
)
_GRAPHML_TYPES = {"bool": "boolean", "int": "long", "float": "double", "text": "string", "texts": "string"}


def encode_graphml(selected: Selected) -> Iterator[str]:
    """Yield GraphML; `weight` repeats an edge's `score` for Gephi."""
    planned = plan_columns(selected)
    columns = [column for column in planned if column.name != "id"]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for place, column in enumerate(columns):
        yield _key(f"n{place}", "node", column.name, _GRAPHML_TYPES[column.kind])
    yield _key("score", "edge", "score", "double") + _key("weight", "edge", "weight", "double")
    yield _key("relation", "edge", "relation", "string") + _key("weights", "edge", "weights", "string")
    yield '<graph edgedefault="directed">\n'
    keys = {column.name: f"n{place}" for place, column in enumerate(columns)}
    for row in rows(selected, planned):
        sound_id = row.pop("id")
        data = "".join(f'<data key="{keys[name]}">{xml_text(value)}</data>' for name, value in row.items())
        yield f'<node id="{sound_id}">{data}</node>\n'
    for edge in selected.edges():
        yield _graphml_edge(edge)
    yield "</graph>\n</graphml>\n"


def encode_gexf(selected: Selected) -> Iterator[str]:
    """Yield GEXF 1.2: labels are names, edge weights are scores."""
    planned = plan_columns(selected)
    columns = [column for column in planned if column.name != "id"]
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2">\n'
        '<graph mode="static" defaultedgetype="directed">\n<attributes class="node" mode="static">\n'
    )
    keys = {column.name: str(place) for place, column in enumerate(columns)}
    for column in columns:
        kind = _GRAPHML_TYPES[column.kind]
        yield f'<attribute id="{keys[column.name]}" title="{xml_text(column.name)}" type="{kind}"/>\n'
    yield (
        '</attributes>\n<attributes class="edge" mode="static">\n<attribute id="0" title="score" type="double"/>\n'
        '<attribute id="1" title="relation" type="string"/>\n'
        '<attribute id="2" title="weights" type="string"/>\n</attributes>\n<nodes>\n'
    )
    for row in rows(selected, planned):
        sound_id = row.pop("id")
        values = "".join(f'<attvalue for="{keys[name]}" value="{xml_text(value)}"/>' for name, value in row.items())
        label = xml_text(row.get("name", sound_id))
        yield f'<node id="{sound_id}" label="{label}"><attvalues>{values}</attvalues></node>\n'
    yield "</nodes>\n<edges>\n"
    for number, edge in enumerate(selected.edges()):
        yield _gexf_edge(number, edge)
    yield "</edges>\n</graph>\n</gexf>\n"


def xml_text(value: Any) -> str:
    """Return a value as escaped text for an element or an attribute."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _FORBIDDEN.sub("", str(joined(value))).translate(_ESCAPES)


def _key(key: str, domain: str, name: str, kind: str) -> str:
    return f'<key id="{key}" for="{domain}" attr.name="{xml_text(name)}" attr.type="{kind}"/>\n'


def _graphml_edge(edge: Edge) -> str:
    data = ""
    if edge.score is not None:
        data = f'<data key="score">{edge.score!r}</data><data key="weight">{edge.score!r}</data>'
    if edge.relation is not None:
        data += f'<data key="relation">{xml_text(edge.relation)}</data>'
    if edge.weights is not None:
        data += f'<data key="weights">{xml_text(edge.weights)}</data>'
    return f'<edge source="{edge.source}" target="{edge.target}">{data}</edge>\n'


def _gexf_edge(number: int, edge: Edge) -> str:
    weight, values = "", ""
    if edge.score is not None:
        weight, values = f' weight="{edge.score!r}"', f'<attvalue for="0" value="{edge.score!r}"/>'
    if edge.relation is not None:
        values += f'<attvalue for="1" value="{xml_text(edge.relation)}"/>'
    if edge.weights is not None:
        values += f'<attvalue for="2" value="{xml_text(edge.weights)}"/>'
    ends = f'id="{number}" source="{edge.source}" target="{edge.target}"'
    return f"<edge {ends}{weight}><attvalues>{values}</attvalues></edge>\n"
