"""What is true of a dataset: counts, licenses, wishes, times, parts.

The card, the description for programs (Croissant) and the manifest say the same things: they read them here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harvester.clock import SECOND_US
from harvester.dataset.splits import Assignment
from harvester.exports import Column, web_address
from harvester.graph import UNKNOWN_TIME, Selected
from harvester.library_source import is_sandbox
from harvester.records import GEN_AI_WISHES, UNKNOWN_WISH, created_us, spdx_id

_STAMPS = ("added_at", "fetched_at", "linked_at")
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class LicenseCount:
    """A license of the dataset: its name, deed, and number of sounds.

    `spdx` is None for an unknown license.
    """

    name: str
    address: str
    spdx: str | None
    sounds: int

    @property
    def hub(self) -> str:
        """The identifier that Hugging Face has for it."""
        return _OTHER if self.spdx is None or self.spdx.startswith("LicenseRef-") else self.spdx.lower()


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """The counts and choices behind a dataset.

    `parts` and `groups` are numbers of sounds and of groups by part, `accounts` that of authors, `wishes` of sounds by
    wish, `kinds` of edges by kind; one edge may have several. `rows_sha256` has the digests of the rows of `sounds` and
    `edges`. `fetched` are the first and the last day on which records were fetched, `newest` is the newest stamp of the
    sounds in microseconds UTC; each is empty or None where the library does not know. `selection` are the conditions by
    their names.
    """

    title: str
    source: str
    library_digest: str
    table: str
    columns: tuple[Column, ...]
    selection: Mapping[str, Any]
    assignment: Assignment
    parts: Mapping[str, int]
    groups: Mapping[str, int]
    accounts: int
    licenses: tuple[LicenseCount, ...]
    wishes: Mapping[str, int]
    categories: Mapping[str, int]
    tags: Mapping[str, int]
    edges: int
    kinds: Mapping[str, int]
    rows_sha256: Mapping[str, str]
    fetched: tuple[str, ...]
    newest: int | None

    @property
    def sounds(self) -> int:
        """The number of sounds."""
        return sum(self.parts.values())

    @property
    def is_made_up(self) -> bool:
        """Whether the sounds are those of a sandbox."""
        return is_sandbox(self.source)

    @property
    def day(self) -> str:
        """The day of the newest stamp, such as `2026-11-28`; empty if unknown."""
        return "" if self.newest is None else day_of(self.newest)

    @property
    def version(self) -> str:
        """The version of the dataset: its day as three numbers."""
        return ".".join(str(int(one)) for one in self.day.split("-")) if self.day else "1.0.0"

    @property
    def columns_by_name(self) -> dict[str, Column]:
        """The columns of the sounds by their names."""
        return {column.name: column for column in self.columns}


def day_of(stamp_us: int) -> str:
    """Return the day of a stamp in UTC."""
    return datetime.fromtimestamp(stamp_us // SECOND_US, UTC).date().isoformat()


def count_licenses(selected: Selected) -> tuple[LicenseCount, ...]:
    """Return the licenses of the selected sounds, the most frequent first."""
    counts: Counter[tuple[str, str | None]] = Counter()
    addresses: dict[tuple[str, str | None], str] = {}
    for sound in selected.sounds():
        license = sound.license_name, spdx_id(sound.license)
        counts[license] += 1
        # Freesound writes some addresses with http and some with https: they are one license.
        address = web_address(sound.license).replace("http://", "https://", 1)
        addresses[license] = min(address, addresses.get(license, address))
    return tuple(
        LicenseCount(name, addresses[name, spdx], spdx, sounds)
        for (name, spdx), sounds in sorted(counts.items(), key=lambda one: (-one[1], one[0][0]))
    )


def count_wishes(selected: Selected) -> dict[str, int]:
    """Return the number of sounds by wish about generative AI."""
    counts = Counter(sound.gen_ai_wish for sound in selected.sounds())
    return {wish: counts[wish] for wish in (*GEN_AI_WISHES, UNKNOWN_WISH) if counts[wish]}


def count_by_part(parts: Iterable[str], shares: Iterable[str]) -> dict[str, int]:
    """Return how often each part of `shares` is in `parts`."""
    counts = Counter(parts)
    return {part: counts[part] for part in shares}


def most_frequent(several: Iterable[Iterable[str]], most: int) -> dict[str, int]:
    """Return the `most` most frequent texts of the sounds, counted."""
    counts = Counter(text for texts in several for text in texts)
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most])


def days_fetched(selected: Selected) -> tuple[str, ...]:
    """Return the first and the last day on which a record was fetched."""
    stamps = _stamps(selected, ("fetched_at",))
    return tuple(sorted({day_of(stamp) for stamp in (min(stamps), max(stamps))})) if stamps else ()


def newest_stamp(selected: Selected) -> int | None:
    """Return the newest stamp of the sounds, else their newest upload."""
    uploads = (created_us(selected.state.attributes(one)) for one in selected.sound_ids)
    stamps = _stamps(selected, _STAMPS) or [stamp for stamp in uploads if stamp is not None]
    return max(stamps, default=None)


def _stamps(selected: Selected, names: Sequence[str]) -> list[int]:
    several = (selected.state.attributes(one) for one in selected.sound_ids)
    stamps = (attributes.get(name, UNKNOWN_TIME) for attributes in several for name in names)
    return [stamp for stamp in stamps if stamp != UNKNOWN_TIME]
