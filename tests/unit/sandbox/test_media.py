"""Made-up sounds: their recipes, samples, files, and how the sandbox serves them."""

from __future__ import annotations

import hashlib
import math
import re
import struct
import zlib
from array import array
from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest

from harvester.actions.connect import SANDBOX_SEED, SANDBOX_SOUNDS
from harvester.sandbox import vocabulary
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.media import KEY_REFUSED, Media
from harvester.sandbox.ogg_flac import encode_ogg_flac, ogg_checksum
from harvester.sandbox.recorded import RecordedCatalogue
from harvester.sandbox.reply import Delivery
from harvester.sandbox.sound_recipe import LONGEST_S, TIMBRES, SoundRecipe, recipe_of
from harvester.sandbox.synthesis import RATE, synthesise
from tests.support.processes import said_by_hash_seeds

EACH = [synthesise(SoundRecipe(timbre, 220.0, 0.6, 99)) for timbre in range(len(TIMBRES))]


def _rms(samples: array[int]) -> float:
    return math.sqrt(sum(one * one for one in samples) / len(samples)) / 32_768


def _crossings(samples: array[int]) -> int:
    return sum((one < 0) != (other < 0) for one, other in pairwise(samples))


def _path(record: Any, kind: str, name: str) -> str:
    return urlsplit(str(record[kind][name])).path


class Fetcher:
    """Fetches media from a sandbox, without a key."""

    def __init__(self, asker: Any) -> None:
        self.asker = asker

    def __call__(self, path: str, method: str = "GET", **headers: str) -> Any:
        sandbox = self.asker.sandbox
        return sandbox.load(sandbox.respond(method, path, {key.replace("_", "-"): one for key, one in headers.items()}))


@pytest.fixture
def fetch(asker: Any) -> Fetcher:
    return Fetcher(asker)


@pytest.fixture
def record(five_thousand: GeneratedCatalogue) -> Any:
    return five_thousand.record(five_thousand.ordered("downloads_desc")[0])


def test_words_of_themes_are_unique_so_a_tag_names_one_timbre() -> None:
    words = [word for theme in vocabulary.THEMES for word in theme.words]
    assert len(words) == len(set(words))
    assert not set(words) & {*vocabulary.QUALITIES, *vocabulary.SETTINGS, *vocabulary.EXTRAS}
    assert len(TIMBRES) * vocabulary.THEMES_AN_ISLAND == len(vocabulary.THEMES)


@pytest.mark.parametrize(
    ("duration", "length_s"),
    [(0.03, 0.03), (2, 2.0), (1_800.0, LONGEST_S), (None, 1.0), (-1, 1.0), (math.nan, 1.0), ("2", 1.0)],
)
def test_a_sound_is_as_long_as_its_record_says_up_to_five_seconds(duration: Any, length_s: float) -> None:
    recipe = recipe_of({"id": 7, "duration": duration, "tags": ["loop", "gong", None]})
    assert recipe.length_s == length_s
    assert TIMBRES[recipe.timbre] == next(
        TIMBRES[place // 4] for place, theme in enumerate(vocabulary.THEMES) if "gong" in theme.words
    )
    assert recipe_of({"id": 7}).timbre in range(8)


def test_every_timbre_is_loud_fades_out_and_has_no_offset() -> None:
    for samples in EACH:
        assert len(samples) == round(0.6 * RATE)
        assert 0.08 < _rms(samples) < 0.2
        assert max(map(abs, samples)) <= 0.91 * 32_767
        assert abs(sum(samples) / len(samples)) < 0.01 * 32_767
        assert samples[-1] == 0
        assert max(map(abs, samples[-10:])) < 0.05 * 32_767


def test_timbres_differ_in_how_often_they_cross_zero() -> None:
    rates = sorted(_crossings(samples) for samples in EACH)
    assert rates[-1] > 5 * rates[0]
    assert len(set(rates)) == len(TIMBRES)


def test_even_the_shortest_sound_is_heard() -> None:
    for timbre in range(len(TIMBRES)):
        assert _rms(synthesise(SoundRecipe(timbre, 110.0, 0.03, 2**32 - 1))) > 0.01
        assert len(synthesise(SoundRecipe(timbre, 392.0, 0.00001, 0))) == 1


_DESCRIBE = """
import hashlib
from harvester.sandbox.sound_recipe import recipe_of
from harvester.sandbox.synthesis import synthesise
from tests.support.processes import said_by_hash_seeds
made = [synthesise(recipe_of({"id": 1000 + 7 * at, "duration": 0.2})).tobytes() for at in range(20)]
print(hashlib.sha256(b"".join(made)).hexdigest())
"""


def test_the_same_id_gives_the_same_samples_in_every_process() -> None:
    assert len(said_by_hash_seeds(_DESCRIBE)) == 1


def _plain_crc(data: bytes, bits: int, polynomial: int) -> int:
    # Bit by bit, as the two standards define it.
    remainder = 0
    for byte in data:
        remainder ^= byte << bits - 8
        for _ in range(8):
            remainder = remainder << 1 ^ (polynomial if remainder >> bits - 1 else 0)
            remainder &= (1 << bits) - 1
    return remainder


def _pages(content: bytes) -> list[tuple[int, int, bytes]]:
    """Return (flags, position, packet) of each page; every page holds one packet."""
    pages: list[tuple[int, int, bytes]] = []
    while content:
        assert content[:5] == b"OggS\0"
        flags, position, _, number, checksum, segments = struct.unpack("<BqIIIB", content[5:27])
        assert number == len(pages)
        size = 27 + segments + sum(content[27 : 27 + segments])
        page = content[:size]
        blanked = page[:22] + bytes(4) + page[26:]
        assert checksum == ogg_checksum(blanked) == _plain_crc(blanked, 32, 0x04C1_1DB7)
        pages.append((flags, position, page[27 + segments :]))
        content = content[size:]
    return pages


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("count", [1, 4_096, 5_001])
def test_a_file_is_valid_ogg_and_flac_with_the_samples_in_it(bits: int, count: int) -> None:
    samples = EACH[0][:count]
    pages = _pages(encode_ogg_flac(samples, 11_025, bits))
    assert [flags for flags, _, _ in pages] == [2] + [0] * (len(pages) - 2) + [4]
    assert pages[-1][1] == count
    info = pages[0][2][17:]
    packed = int.from_bytes(info[10:18])
    assert (packed >> 44, packed >> 41 & 7, packed >> 36 & 31, packed & 2**36 - 1) == (11_025, 0, bits - 1, count)
    stored = b""
    for number, (_, _, frame) in enumerate(pages[2:]):
        assert frame[:3] == b"\xff\xf8\x70"
        assert frame[4] == number
        assert frame[7] == _plain_crc(frame[:7], 8, 0x07)
        assert int.from_bytes(frame[-2:]) == _plain_crc(frame[:-2], 16, 0x8005)
        stored += frame[9:-2]
        assert int.from_bytes(frame[5:7]) + 1 == len(frame[9:-2]) * 8 // bits
    width = bits // 8
    little = b"".join(stored[at : at + width][::-1] for at in range(0, len(stored), width))
    assert info[18:34] == hashlib.md5(little).digest()
    values = [int.from_bytes(little[at : at + width], "little", signed=True) for at in range(0, len(little), width)]
    assert values == [one >> 16 - bits for one in samples]


def test_a_stream_too_long_for_one_byte_of_frame_number_is_refused() -> None:
    with pytest.raises(ValueError, match="are more than 520192"):
        encode_ogg_flac(array("h", bytes(2 * (127 * 4_096 + 1))), RATE, 16)


def test_each_preview_and_waveform_of_a_record_is_served_without_a_key(fetch: Fetcher, record: Any) -> None:
    high = fetch(_path(record, "previews", "preview-hq-ogg"))
    low = fetch(_path(record, "previews", "preview-lq-ogg"))
    for reply, rate in ((high, RATE), (low, RATE // 2)):
        assert (reply.status, reply.headers["Content-Type"], reply.media) == (200, "audio/ogg", None)
        wanted = min(record["duration"], LONGEST_S)
        assert abs(_pages(reply.body)[-1][1] / rate - wanted) <= 2 / rate
    assert len(low.body) < len(high.body) / 2
    for name, (width, height) in {
        "waveform_m": (120, 71), "waveform_l": (900, 201), "waveform_bw_m": (120, 71), "waveform_bw_l": (900, 201)
    }.items():  # fmt: skip
        picture = fetch(_path(record, "images", name))
        assert (picture.status, picture.headers["Content-Type"]) == (200, "image/png")
        assert picture.body.startswith(b"\x89PNG\r\n\x1a\n")
        rest, chunks = picture.body[8:], {}
        while rest:
            size, kind = int.from_bytes(rest[:4]), rest[4:8]
            assert int.from_bytes(rest[8 + size : 12 + size]) == zlib.crc32(rest[4 : 8 + size])
            chunks[kind] = rest[8 : 8 + size]
            rest = rest[12 + size :]
        assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
        assert struct.unpack(">IIBB", chunks[b"IHDR"][:10]) == (width, height, 1, 3)
        pixels = zlib.decompress(chunks[b"IDAT"])
        assert len(pixels) == height * (1 + (width + 7) // 8)
        assert width < sum(byte.bit_count() for byte in pixels) < width * height / 2


def test_the_guide_names_a_preview_that_the_sandbox_has() -> None:
    named = re.findall(
        r"https://sandbox\.invalid(/previews/\S+?)`",
        (files("harvester") / "guide" / "sandbox.md").read_text(encoding="utf-8"),
    )
    media = Media(GeneratedCatalogue(SANDBOX_SOUNDS, SANDBOX_SEED), lambda _: False)
    assert [media.answer("GET", path, "", "", has_key=False).status for path in named] == [200]


def test_what_has_no_encoder_or_no_sound_is_not_found(fetch: Fetcher, record: Any) -> None:
    high = _path(record, "previews", "preview-hq-ogg")
    for path in (
        _path(record, "previews", "preview-hq-mp3"),
        _path(record, "previews", "preview-lq-mp3"),
        _path(record, "images", "spectral_m"),
        high.replace("-hq", "-xx"),
        high.replace("/previews/", "/previews/9"),
        high.replace(f"/{record['id']}_", f"/{record['id'] + 1}_"),
        high + "/",
        "/previews/",
    ):
        assert fetch(path).status == 404, path


def test_a_key_is_refused_so_that_a_leak_is_noticed(fetch: Fetcher, record: Any) -> None:
    path = _path(record, "previews", "preview-hq-ogg")
    for reply in (
        fetch(path, Authorization="Token sandbox"),
        fetch(path, Authorization="Bearer x"),
        fetch(f"{path}?token=sandbox"),
    ):
        assert (reply.status, reply.body) == (400, f"{KEY_REFUSED}\n".encode())
    assert fetch(path, "POST").status == 405
    assert fetch(path, "HEAD").status == 200


def test_previews_do_not_use_up_the_limits(five_thousand: GeneratedCatalogue, new_asker: Callable[..., Any]) -> None:
    asker = new_asker(five_thousand, burst=2, daily=2)
    path = _path(five_thousand.record(five_thousand.ordered("score")[0]), "images", "waveform_m")
    assert [Fetcher(asker)(path).status for _ in range(5)] == [200] * 5
    assert [asker.ask("/apiv2/sounds/1/").status for _ in range(3)] == [404, 404, 429]


def test_a_part_of_a_file_is_the_same_bytes(fetch: Fetcher, record: Any) -> None:
    path = _path(record, "previews", "preview-lq-ogg")
    whole = fetch(path)
    size = len(whole.body)
    for asked, part in (("bytes=0-3", slice(0, 4)), ("bytes=100-", slice(100, None)), ("bytes=-5", slice(-5, None))):
        reply = fetch(path, Range=asked)
        assert (reply.status, reply.body) == (206, whole.body[part])
        first = range(size)[part][0]
        assert reply.headers["Content-Range"] == f"bytes {first}-{first + len(reply.body) - 1}/{size}"
    outside = fetch(path, Range=f"bytes={size}-")
    assert (outside.status, outside.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert fetch(path, Range="bytes=-").body == whole.body
    assert fetch(path, Range="bytes=0-3", If_Range=whole.headers["ETag"]).status == 206
    assert fetch(path, Range="bytes=0-3", If_Range='"another"').body == whole.body


def test_faults_meet_previews_too(five_thousand: GeneratedCatalogue, new_asker: Callable[..., Any]) -> None:
    def fetch(rule: str) -> Any:
        return Fetcher(new_asker(five_thousand, faults=[Fault.parse(rule)]))(path)

    path = _path(five_thousand.record(five_thousand.ordered("score")[0]), "previews", "preview-lq-ogg")
    whole = fetch("503@path=/elsewhere/").body
    waiting = fetch("503@retry-after=7@path=/previews/")
    assert (waiting.status, waiting.headers["Retry-After"]) == (503, "7")
    assert "Retry-After" not in fetch("503").headers
    assert fetch("404@retry-after=2").headers["Retry-After"] == "2"
    assert fetch("404").status == 404
    for delivery in (Delivery.TRUNCATE, Delivery.DRIP, Delivery.RESET, Delivery.NO_ANSWER):
        reply = fetch(delivery.value)
        assert (reply.status, reply.delivery, reply.body) == (200, delivery, whole)
    # Faults inside a list have no list here.
    assert fetch("null").body == whole


def test_records_from_a_file_have_sounds_at_their_own_addresses(new_asker: Callable[..., Any]) -> None:
    own = {
        "id": 12,
        "duration": 0.1,
        "previews": {"preview-lq-ogg": "https://cdn.freesound.org/previews/0/12_3-lq.ogg", "odd": None},
        "images": ["none"],
    }
    fetch = Fetcher(new_asker(RecordedCatalogue([own])))
    assert fetch("/previews/0/12_3-lq.ogg").body.startswith(b"OggS")
    assert fetch("/previews/0/12_4-lq.ogg").status == 404


def test_a_deleted_sound_has_no_preview(five_thousand: GeneratedCatalogue, new_asker: Callable[..., Any]) -> None:
    path = _path(five_thousand.record(five_thousand.ordered("score")[0]), "previews", "preview-lq-ogg")
    assert Fetcher(new_asker(five_thousand, deleted_share=1.0))(path).status == 404
