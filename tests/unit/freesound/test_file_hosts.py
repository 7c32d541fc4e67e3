"""To which addresses a request for a file may be sent: a hostile record must lead nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.freesound.file_hosts import AddressRefused, FileHosts

SANDBOX = "http://127.0.0.1:8000/apiv2/"


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("https://cdn.freesound.org/previews/1/1_2-lq.ogg", "https://cdn.freesound.org/previews/1/1_2-lq.ogg"),
        ("http://freesound.org/data/previews/1/1_2-lq.mp3", "https://freesound.org/data/previews/1/1_2-lq.mp3"),
        ("HTTPS://CDN.Freesound.org:443/x", "https://cdn.freesound.org/x"),
        ("https://www.freesound.org/x?a=b#c", "https://www.freesound.org/x?a=b"),
    ],
)
def test_freesounds_own_hosts_are_asked_over_https(address: str, target: str) -> None:
    assert FileHosts().read(address) == target
    assert FileHosts(SANDBOX).read(address) == target


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd", "ftp://freesound.org/x", "http://127.0.0.1/x", "http://localhost:8000/x",
        "https://freesound.org.evil.example/x", "https://evilfreesound.org/x", "https://freesound.org@evil.example/x",
        "https://user:secret@freesound.org/x", "https://freesound.org:8080/x", "https://freesound.org./x", "", "x",
        "https://freesound.org\\@evil.example/x", "https://freesound.org/ x", "https://freesound.org/x\r\nHost: a",
        "https://[::1]/x", "https://[freesound.org/x", "https://freesound.org:99999/x", "https://freesоund.org/x",
        f"https://freesound.org/{'x' * 500}", "data:audio/ogg;base64,T2dnUw==", "https://sandbox.invalid/x",
    ],
)  # fmt: skip
def test_no_other_address_is_asked(address: str) -> None:
    with pytest.raises(AddressRefused):
        FileHosts().read(address)
    with pytest.raises(AddressRefused):
        FileHosts().redirected("https://evil.example/a", address)


def test_made_up_sounds_lead_to_the_named_sandbox_and_to_no_other() -> None:
    hosts = FileHosts(SANDBOX)
    assert hosts.read("https://sandbox.invalid/previews/1/1_2-lq.ogg") == "http://127.0.0.1:8000/previews/1/1_2-lq.ogg"
    assert hosts.redirected("http://127.0.0.1:8000/a", "/b?c") == "http://127.0.0.1:8000/b?c"
    for other in (
        "http://127.0.0.1:8001/a",
        "http://127.0.0.1/a",
        "https://127.0.0.1:8000/a",
        "http://localhost:8000/a",
    ):
        with pytest.raises(AddressRefused):
            hosts.read(other)
        with pytest.raises(AddressRefused):
            hosts.redirected("http://127.0.0.1:8000/a", other)


@given(st.text(max_size=60), st.sampled_from(["https://", "http://", "", "https://freesound.org", "file://"]))
def test_whatever_a_record_holds_leads_to_freesound_or_nowhere(text: str, before: str) -> None:
    try:
        target = FileHosts().read(before + text)
    except AddressRefused:
        return
    host = target.removeprefix("https://").partition("/")[0]
    assert target.startswith("https://")
    assert host == "freesound.org" or host.endswith(".freesound.org")
