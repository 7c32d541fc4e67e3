"""What a record of a sound may hold, and how a value becomes that: one room, entered here.

Everything is judged where it comes in (answers, imports) and read through `value_of` where it is used. Knows no file,
no network and no graph.
"""

from harvester.records.convert import convert, convert_id, value_of
from harvester.records.rules import RULES, Kind, Rule, rule_of

__all__ = [
    "RULES",
    "Kind",
    "Rule",
    "convert",
    "convert_id",
    "rule_of",
    "value_of",
]
