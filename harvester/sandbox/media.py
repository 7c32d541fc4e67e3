"""Serve previews and waveforms of made-up sounds.

They are made when they are fetched, and lie at the paths of the addresses in the records, whatever host those name.
Like Freesound's own media host it needs no key and has no limit. It refuses a request that carries a key, so that a
client that leaks one is noticed.
Not served, because the standard library has no encoder for them: `.mp3` previews and `.jpg` spectrograms, a 404.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

from harvester.model import Record
from harvester.sandbox.catalogue import Catalogue
from harvester.sandbox.ogg_flac import encode_ogg_flac
from harvester.sandbox.reply import MediaFile, Reply, html, plain
from harvester.sandbox.sound_recipe import recipe_of
from harvester.sandbox.synthesis import RATE, synthesise
from harvester.sandbox.waveform_png import SIZES, draw_waveform

_ID = re.compile(r"/(?:data/)?(?:previews|displays)/\d+/(\d{1,16})_[^/]*")
_WAVEFORM = re.compile(r"_wave_(bw_)?([ML])\.png")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_KEPT_SOUNDS = 32
"""Sounds of 5 s whose samples stay in memory: 7 MB."""

KEY_REFUSED = "Previews and pictures need no API key: send no Authorization header and no token parameter here."


class Media:
    """The media of a catalogue; `is_deleted` tells the sounds it lacks."""

    def __init__(self, catalogue: Catalogue, is_deleted: Callable[[int], bool]) -> None:
        self._catalogue = catalogue
        self._is_deleted = is_deleted
        self._samples = lru_cache(maxsize=_KEPT_SOUNDS)(self._synthesise)

    def is_media(self, path: str) -> bool:
        """Tell whether a path is one of previews or pictures."""
        return _ID.fullmatch(path) is not None

    def answer(self, method: str, path: str, byte_range: str, if_range: str, *, has_key: bool) -> Reply:
        """Return the reply, without its content; `load` adds that."""
        if has_key:
            return plain(400, KEY_REFUSED)
        if method not in {"GET", "HEAD"}:
            return plain(405, f"{method} is not allowed here.", Allow="GET, HEAD")
        match = _ID.fullmatch(path)
        sound_id = int(match[1]) if match else 0
        record = self._catalogue.record(sound_id)
        if record is None or self._is_deleted(sound_id) or path not in _paths(record):
            return html(404)
        tag = f'"{self._catalogue.digest}-{sound_id}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "max-age=31536000"}
        if path.endswith(".ogg"):
            headers["Content-Type"] = "audio/ogg"
        elif _WAVEFORM.search(path):
            headers["Content-Type"] = "image/png"
        else:
            return html(404)
        wanted = byte_range if if_range in {"", tag} else ""
        return Reply(200, headers, media=MediaFile(sound_id, path, wanted))

    def load(self, reply: Reply) -> Reply:
        """Return the reply with the content that it names, or a part of it.

        The synthesis takes up to 0.2 s of CPU: call it in a thread. Any thread may.
        """
        file = reply.media
        if file is None:
            return reply
        content = self._encode(file)
        match = _RANGE.fullmatch(file.byte_range)
        if not match or not (match[1] or match[2]):
            return replace(reply, body=content, media=None)
        size = len(content)
        first = int(match[1]) if match[1] else max(0, size - int(match[2]))
        last = min(size - 1, int(match[2])) if match[1] and match[2] else size - 1
        if first > last:
            return plain(416, "The range lies outside the file.", **{"Content-Range": f"bytes */{size}"})
        headers = {**reply.headers, "Content-Range": f"bytes {first}-{last}/{size}"}
        return replace(reply, status=206, headers=headers, body=content[first : last + 1], media=None)

    def _encode(self, file: MediaFile) -> bytes:
        samples = self._samples(file.sound_id)
        picture = _WAVEFORM.search(file.path)
        if picture:
            return draw_waveform(samples, *SIZES[picture[2]], bw=bool(picture[1]))
        if "-lq" in file.path:
            return encode_ogg_flac(_halved(samples), RATE // 2, 8)
        return encode_ogg_flac(samples, RATE, 16)

    def _synthesise(self, sound_id: int) -> array[int]:
        return synthesise(recipe_of(self._catalogue.record(sound_id) or {"id": sound_id}))


def _halved(samples: array[int]) -> array[int]:
    """Return the samples at half the rate: the mean of each two."""
    odd = samples[1::2] if len(samples) % 2 == 0 else samples[1::2] + samples[-1:]
    return array("h", ((one + other) // 2 for one, other in zip(samples[::2], odd, strict=True)))


def _paths(record: Record) -> Iterator[str]:
    for kind in ("previews", "images"):
        addresses = record.get(kind)
        for address in addresses.values() if isinstance(addresses, dict) else ():
            if isinstance(address, str):
                yield urlsplit(address).path
