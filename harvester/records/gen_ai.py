"""The uploaders' wishes about generative AI, as every view names them.

Owns the rule that a wish which the library does not know is unknown: it is neither a yes nor a no. Records of older
servers and tools lack the field. Exports of records keep the field as it is, and an absent one empty.
"""

from __future__ import annotations

GEN_AI_WISHES = ("no-additional-preferences", "open-source-models", "noncommercial-open-source-models", "no-gen-ai")
"""The values of the API's field `gen_ai_preference`."""

UNKNOWN_WISH = "unknown"


def gen_ai_wish(preference: str | None) -> str:
    """Return one of `GEN_AI_WISHES`, or `unknown` for any other value."""
    return preference if preference in GEN_AI_WISHES else UNKNOWN_WISH
