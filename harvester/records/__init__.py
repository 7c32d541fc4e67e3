"""What a record of a sound may hold, and how a value becomes that: one room, entered here.

Everything is judged where it comes in (answers, imports) and read through `value_of` where it is used. Knows no file,
no network and no graph.
"""

from harvester.records.conversion import OUT_OF_RANGE, convert, value_of
from harvester.records.created import created_us
from harvester.records.judge import Judge, judge_of
from harvester.records.licences import BY, CC0, LICENCES, find_licence, licence_name
from harvester.records.rules import MOST_UNKNOWN_NAMES, RULES, FieldKind, Rule, rule_of

__all__ = [
    "BY",
    "CC0",
    "LICENCES",
    "find_licence",
    "licence_name",
    "MOST_UNKNOWN_NAMES",
    "OUT_OF_RANGE",
    "RULES",
    "Judge",
    "FieldKind",
    "Rule",
    "convert",
    "created_us",
    "judge_of",
    "rule_of",
    "value_of",
]
