"""Rules for record fields, and conversion of values to them.

Answers and imports are validated when they arrive; every later reader gets a value through `value_of`. Knows no file,
no network and no graph.
"""

from harvester.records.conversion import CONVERTED, OUT_OF_RANGE, convert, value_of
from harvester.records.created import CreatedRange, created_us, read_created_range
from harvester.records.gen_ai import GEN_AI_WISHES, UNKNOWN_WISH, gen_ai_wish, read_gen_ai_wish
from harvester.records.judge import Judge, judge_of
from harvester.records.licenses import (
    BY,
    CC0,
    LICENSE_DUTIES,
    LICENSE_MARKS,
    LICENSES,
    find_license,
    is_possible_license,
    license_name,
    spdx_id,
)
from harvester.records.rules import DESCRIPTORS, MOST_UNKNOWN_NAMES, RULES, FieldKind, Rule, rule_of
from harvester.records.vocabulary import CATEGORIES, FILE_TYPES
