"""Which targets of a request are a part of the page: the exact ones, and no other spelling of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.page_server.address import PagePart, is_own_host, read_target

TOKEN = "aB3-_x"

NAMED = {
    f"/{TOKEN}": PagePart("moved"),
    f"/{TOKEN}/": PagePart("page"),
    f"/{TOKEN}/changes?after=12": PagePart("changes", after=12),
    f"/{TOKEN}/previews/7.ogg": PagePart("preview", name="7.ogg"),
    f"/{TOKEN}/previews/70.mp3": PagePart("preview", name="70.mp3"),
}


@pytest.mark.parametrize("target", NAMED)
def test_each_part_of_the_page_has_one_target(target: str) -> None:
    assert read_target(target, TOKEN) == NAMED[target]
    # One character more, less or other anywhere is another target, which names nothing or another part.
    for place in range(len(target)):
        for other in ("", "/", "%", ".", "\u00e9", "\ud800"):
            changed = target[:place] + other + target[place + 1 :]
            assert changed == target or read_target(changed, TOKEN) != NAMED[target] or changed in NAMED


@pytest.mark.parametrize(
    "rest",
    [
        "previews/", "previews", "previews/..", "previews/../7.ogg", "previews/%2e%2e/7.ogg", "previews/..%2f7.ogg",
        "previews//7.ogg", "./previews/7.ogg", "previews/7.ogg/", "previews/7.ogg%00", "previews/7.OGG",
        "previews/7.wav",
        "previews/\u0667.ogg", "previews/7.ogg\n", "previews/7.ogg?x", "changes", "changes?after=", "changes?after=-1",
        "changes?after=1&after=2", "changes?after=1\n", "changes/?after=1", "index.html", "?", "//",
        "freesound_library.pkl",
    ],
)  # fmt: skip
def test_another_spelling_names_nothing(rest: str) -> None:
    assert read_target(f"/{TOKEN}/{rest}", TOKEN) is None


@given(st.text(max_size=40))
def test_without_the_token_nothing_is_named(text: str) -> None:
    for target in (text, f"/{text}", f"/{text}/", f"http://127.0.0.1/{TOKEN}/", f"//{TOKEN}/"):
        if not target.startswith(f"/{TOKEN}"):
            assert read_target(target, TOKEN) is None


def test_only_this_machine_and_port_are_our_host() -> None:
    own = [host for host in ("127.0.0.1:80", "localhost:80", "LOCALHOST:80") if is_own_host(host, 80)]
    assert len(own) == 3
    others = (
        "",
        "127.0.0.1",
        "127.0.0.1:81",
        "localhost.:80",
        "evil.example:80",
        "127.0.0.1:80@evil.example",
        "[::1]:80",
    )
    assert not [host for host in others if is_own_host(host, 80)]
