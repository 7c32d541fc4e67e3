"""Write a tree as text that server and index read as meant.

The server puts `+` before everything that looks like a name, also in quotes. It joins runs of `+`, drops one at the
end, and translates some names only at the start of a piece between blanks. The index reads clauses from left to right
without precedence, and a group of negatives within another clause matches nothing there. So the text has a blank after
every bracket that opens a group, puts alternatives always into a group, escapes each special character with a
backslash, and adds `type:*` to a group of negatives. The server also decodes percent escapes once more than usual;
`freesound.address` takes care of that.
"""

from __future__ import annotations

import re

from harvester.filters.names import TRANSLATED
from harvester.filters.tree import EVERY_SOUND, And, Leaf, Not, Or, Pattern, Range, Term, Tree

KEYWORDS = frozenset({"AND", "OR", "NOT", "&&", "||"})

_SPECIAL_IN_WORD = re.compile(r'^-|[\\"+:!(){}\[\]^~*?/\s]')
_SPECIAL_IN_QUOTES = re.compile(r'[\\"+:]')
_PLAIN_END = re.compile(r"(?!TO\Z)[+-]?[\w.][\w.:+/-]*")
_NAME_WITHIN = re.compile(r"[A-Za-z_]:|-\+|\+\+")


def write(tree: Tree) -> str:
    """Return the filter's text; empty for a tree that matches everything."""
    return " ".join(map(_clause, tree.parts if isinstance(tree, And) else (tree,)))


def escape_word(text: str) -> str:
    """Return `text` as an unquoted word, special characters escaped."""
    return _SPECIAL_IN_WORD.sub(r"\\\g<0>", text)


def quote(text: str) -> str:
    """Return `text` in quotes, with special characters escaped."""
    return '"' + _SPECIAL_IN_QUOTES.sub(r"\\\g<0>", text) + '"'


def _clause(tree: Tree) -> str:
    match tree:
        case Leaf(name, value):
            text = f"{name}:{_value(value)}"
            # The server drops a `+` or a blank at the very end of a filter, even if it is escaped.
            return f"( {text} )" if _is_cut_at_end(text) else text
        case Not(part):
            text = _clause(part)
            # The server would not translate a name right after the sign.
            return f"-( {text} )" if text.partition(":")[0] in TRANSLATED else f"-{text}"
        case Or(parts):
            leaves = [part for part in parts if isinstance(part, Leaf)]
            if len(leaves) == len(parts) and len({leaf.name for leaf in leaves}) == 1:
                return f"{leaves[0].name}:({' OR '.join(_value(leaf.value) for leaf in leaves)})"
            return f"( {' OR '.join(_group([part]) if isinstance(part, Not) else _clause(part) for part in parts)} )"
        case And(parts):
            return _group(list(parts))


def _group(parts: list[Tree]) -> str:
    if all(isinstance(part, Not) for part in parts):
        parts = [*parts, EVERY_SOUND]
    return f"( {' '.join(map(_clause, parts))} )"


def _value(value: Term | Pattern | Range) -> str:
    match value:
        case Term(text, quoted):
            word = escape_word(text)
            return quote(text) if quoted or text in KEYWORDS or _is_cut_at_end(word) else word
        case Pattern(text):
            return text
        case Range(low, high):
            opening, closing = "[" if value.low_included else "{", "]" if value.high_included else "}"
            return f"{opening}{_end(low)} TO {_end(high)}{closing}"


def _end(end: str | None) -> str:
    if end is None:
        return "*"
    return end if _PLAIN_END.fullmatch(end) and not _NAME_WITHIN.search(end) else quote(end)


def _is_cut_at_end(text: str) -> bool:
    return text.endswith("+") or text[-1:].isspace()
