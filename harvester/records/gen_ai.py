"""The uploaders' wishes about generative AI, as every view names them.

Owns the rule that a wish which the library does not know is unknown: it is neither a yes nor a no. Records of older
servers and tools lack the field. Exports of records keep the field as it is, and an absent one empty.
"""

from __future__ import annotations

from difflib import get_close_matches

from harvester.errors import SettingsError

GEN_AI_WISHES = ("no-additional-preferences", "open-source-models", "noncommercial-open-source-models", "no-gen-ai")
"""The values of the API's field `gen_ai_preference`."""

UNKNOWN_WISH = "unknown"


def gen_ai_wish(preference: str | None) -> str:
    """Return one of `GEN_AI_WISHES`, or `unknown` for any other value."""
    return preference if preference in GEN_AI_WISHES else UNKNOWN_WISH


def read_gen_ai_wish(text: str) -> str:
    """Return the wish that a person typed, in any case.

    Raises `SettingsError` for a text that is neither one of `GEN_AI_WISHES` nor `unknown`.
    """
    wishes = (*GEN_AI_WISHES, UNKNOWN_WISH)
    typed = text.strip().casefold()
    if typed in wishes:
        return typed
    near = get_close_matches(typed, wishes, n=1)
    meant = f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(wishes)}"
    raise SettingsError(f"'{text[:40]}' is not a wish about generative AI; {meant}")
