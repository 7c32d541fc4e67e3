"""Read the id of a sound out of a text that names it.

Owns the forms that name a sound of Freesound without doubt: its number, its link, and the file names of downloads,
previews and known data sets. A number within any other name is none: in ESC-50's `1-100032-A-0.wav` the first one is
the fold.
"""

from __future__ import annotations

import re
from enum import StrEnum

from harvester.model import is_sound_id

_ID = r"(?P<id>[1-9]\d{0,15})"
_AUDIO = r"(?:wav|aiff?|ogg|mp3|flac|m4a|wv)"
_NUMBER = re.compile(rf"{_ID}(?:\.0+)?", re.ASCII)
_SITE = r"(?:(?:https?:)?//)?(?:(?:[a-z0-9-]+\.)*freesound\.org|sandbox\.invalid)"
_SOUND_PATH = rf"/(?:people/[^/\s]+/sounds|apiv2/sounds|s)/{_ID}(?:[/?#].*)?"
_SOUND_LINK = re.compile(rf"(?:{_SITE})?{_SOUND_PATH}", re.ASCII | re.IGNORECASE)
_OF_THE_SITE = re.compile(rf"{_SITE}/.*", re.ASCII | re.IGNORECASE)
_ANY_LINK = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//|www\.", re.ASCII | re.IGNORECASE)
_FILE_NAMES = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_ID}__[^/]+__[^/]+",  # a download: id, user, title
        rf"{_ID}_\d+-[hl]q\.(?:mp3|ogg)",  # a preview: id, number of the user
        rf"{_ID}_\d+\.{_AUDIO}\.wav",  # FSL10K: id, number of the user, the ending twice
        rf"{_ID}\.(?:{_AUDIO}|npy)",  # FSD50K, BSD10k
        rf"{_ID}-\d-\d{{1,3}}-\d{{1,3}}\.wav",  # UrbanSound8K: id, class, occurrence, slice
        rf"[1-5]-{_ID}-[A-Z]-\d{{1,2}}\.wav",  # ESC-50: fold, id, take, class
    )
)
_MADE_UP = re.compile(r"(?=[0-9a-f]*[0-9])(?=0|[0-9]*[a-f])[0-9a-f]{8}(?:\.wav)?", re.ASCII)


class NameForm(StrEnum):
    """How a text names a sound."""

    NUMBER = "numbers"
    LINK = "links"
    FILE_NAME = "file names"


def read_name(text: str) -> tuple[int, NameForm] | None:
    """Return the id that a text names, and its form; None for any other.

    A number with leading zeros is none: no id has them, but names of other data sets do.
    """
    text = text.strip()
    if match := _NUMBER.fullmatch(text):
        return _checked(match, NameForm.NUMBER)
    if match := _SOUND_LINK.fullmatch(text):
        return _checked(match, NameForm.LINK)
    is_link = _ANY_LINK.match(text) is not None
    if is_link and not _OF_THE_SITE.fullmatch(text):
        return None
    file_name = re.split(r"[/\\]", re.split(r"[?#]", text)[0] if is_link else text)[-1]
    match = next((match for form in _FILE_NAMES if (match := form.fullmatch(file_name))), None)
    return match and _checked(match, NameForm.LINK if is_link else NameForm.FILE_NAME)


def is_foreign_link(text: str) -> bool:
    """Tell whether a text is a link to another site than Freesound."""
    text = text.strip()
    return _ANY_LINK.match(text) is not None and not _OF_THE_SITE.fullmatch(text)


def is_made_up(text: str) -> bool:
    """Tell whether a text is one of FSDKaggle's names, which hold no id.

    They are eight hexadecimal digits; some have decimal digits only.
    """
    return _MADE_UP.fullmatch(text.strip()) is not None


def _checked(match: re.Match[str], form: NameForm) -> tuple[int, NameForm] | None:
    sound_id = int(match["id"])
    return (sound_id, form) if is_sound_id(sound_id) else None
