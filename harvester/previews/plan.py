"""Decide which previews of a selection to request.

Changes nothing. A preview that is here, in the quality that is wanted or a higher one, is never requested again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from harvester.freesound import AddressRefused, FileHosts
from harvester.graph import Sound
from harvester.pipeline import wait_after_absence, wait_after_failure
from harvester.previews.rows import QUALITIES, LostPreview, StoredPreview

DEFAULT_QUALITY, DEFAULT_FORMAT = "lq", "ogg"
_KBIT_PER_S = {("hq", "mp3"): 128, ("lq", "mp3"): 64, ("hq", "ogg"): 192, ("lq", "ogg"): 80}
"""What Freesound encodes previews with; an average for Ogg Vorbis."""
_HEADER_BYTES = 4_000
_MANY = 100
_LONGEST_WAIT_US = max(wait_after_absence(_MANY), wait_after_failure(_MANY))
_USUAL_S = 30.0
"""The length that a sound without one is taken to have, where no other sound has one either."""


@dataclass(frozen=True, slots=True)
class WantedPreview:
    """A preview to request at `url`, of about `expected_bytes`.

    `address` is the preview's in the sound's record, which a sandbox serves at its own `url`. `license` is the address
    of the deed.
    """

    sound_id: int
    format: str
    quality: str
    url: str
    address: str
    license: str
    expected_bytes: int


@dataclass(frozen=True, slots=True)
class PreviewPlan:
    """What becomes of each sound of a selection of `selected` sounds.

    The `wanted` previews are requested, `here` are here, `waiting` were lost and are requested later: the first from
    `next_retry_at` on. `without_address` have none in their record; `refused` has the ids whose address is not
    requested, each with the reason.
    """

    selected: int
    wanted: tuple[WantedPreview, ...]
    here: int
    waiting: int
    next_retry_at: int | None
    without_address: int
    refused: Mapping[int, str]

    @property
    def expected_bytes(self) -> int:
        """The size of all that is wanted, as far as it can be known."""
        return sum(one.expected_bytes for one in self.wanted)


def plan_previews(
    sounds: Collection[Sound],
    stored: Mapping[tuple[int, str], StoredPreview],
    lost: Mapping[tuple[int, str], LostPreview],
    hosts: FileHosts,
    *,
    quality: str,
    format: str,
    longest_s: float,
    now_us: int,
) -> PreviewPlan:
    """Return the plan for sounds, in their order.

    A preview has the first `longest_s` seconds of its sound at most.
    """
    usual_s = _mean([sound.duration for sound in sounds])
    wanted: list[WantedPreview] = []
    refused: dict[int, str] = {}
    here = without_address = 0
    retries: list[int] = []
    for sound in sounds:
        key = sound.id, format
        address = sound.previews.get(f"preview-{quality}-{format}", "")
        known, failed = stored.get(key), lost.get(key)
        if known is not None and QUALITIES.index(known.quality) >= QUALITIES.index(quality):
            here += 1
            continue
        if not address:
            without_address += 1
            continue
        try:
            url = _checked(hosts, address, sound.id, format)
        except AddressRefused as why:
            refused[sound.id] = str(why)
            continue
        if failed is not None and _waits(failed, now_us) and (failed.quality, failed.address) == (quality, address):
            retries.append(failed.retry_at)
            continue
        seconds = min(usual_s if sound.duration is None else sound.duration, longest_s)
        size_bytes = _HEADER_BYTES + round(seconds * _KBIT_PER_S[quality, format] * 125)
        wanted.append(WantedPreview(sound.id, format, quality, url, address, sound.license or "", size_bytes))
    return PreviewPlan(
        len(sounds), tuple(wanted), here, len(retries), min(retries, default=None), without_address, refused
    )


def _checked(hosts: FileHosts, address: str, sound_id: int, format: str) -> str:
    """Return where to request a preview; raise `AddressRefused`.

    A record must not make the harvester fetch another file than the sound's own preview.
    """
    target = hosts.read(address)
    path = urlsplit(target).path
    name = path.rpartition("/")[2]
    if "/previews/" not in path or not name.startswith(f"{sound_id}_") or not name.endswith(f".{format}"):
        raise AddressRefused("it is not a preview of this sound")
    return target


def _waits(failed: LostPreview, now_us: int) -> bool:
    """Tell whether a lost preview waits; not if a wrong clock set the time."""
    return now_us < failed.retry_at <= now_us + _LONGEST_WAIT_US


def _mean(durations: Iterable[float | None]) -> float:
    known = [one for one in durations if one is not None]
    return sum(known) / len(known) if known else _USUAL_S
