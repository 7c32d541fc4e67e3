"""Which proxy the environment names, and that no message has its password."""

from __future__ import annotations

import pytest

from harvester.errors import SettingsError
from harvester.freesound.address import API_URL
from harvester.freesound.proxy import Proxy, proxy_for

PASSWORD = "hunter2"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "https", "all", "no"):
        for name in (f"{kind}_proxy", f"{kind}_proxy".upper()):
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("proxy", "http://proxy:80"), ("proxy:3128", "http://proxy:3128"), (" http://proxy:3128/ ", "http://proxy:3128"),
        (f"me:{PASSWORD}@proxy:3128", "http://proxy:3128"), (f"https://me:{PASSWORD}@proxy", "https://proxy:443"),
        ("socks5://proxy", "socks5://proxy:1080"), ("SOCKS5H://proxy:9", "socks5h://proxy:9"),
        ("[::1]:3128", "http://[::1]:3128"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_an_address_of_a_proxy_is_read_as_other_programs_do(
    variable: str, named: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, named)
    proxy = proxy_for(API_URL)
    assert proxy is not None
    assert (proxy.shown, proxy.is_socks) == (shown, shown.startswith("socks"))
    assert PASSWORD not in f"{proxy}{proxy.shown}"
    assert proxy.password == (PASSWORD if PASSWORD in named else "")


def test_characters_of_a_password_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://d%40n:p%3Aw%2Fd@proxy:1")
    assert proxy_for(API_URL) == Proxy("http", "proxy", 1, "d@n", "p:w/d")


@pytest.mark.parametrize(
    "named",
    [
        f"http://me:{PASSWORD}@", f"http://me:{PASSWORD}@proxy:99999", f"http://me:{PASSWORD}@proxy:x",
        f"ftp://me:{PASSWORD}@proxy", f"http://me:{PASSWORD}@[::1", "://", "http:///", f"pro xy:1/{PASSWORD}",
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_with_its_variable_and_not_shown(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(SettingsError) as refused:
        proxy_for(API_URL)
    assert str(refused.value) == (
        "HTTPS_PROXY: it is not the address of a proxy; write http://HOST:PORT or socks5://HOST:PORT"
    )


def test_a_socks_proxy_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://me:{PASSWORD}@proxy")
    monkeypatch.setattr("harvester.freesound.proxy.find_spec", lambda _: None)
    with pytest.raises(
        SettingsError, match=r"^ALL_PROXY: the proxy socks5://proxy:1080 needs aiohttp-socks: .*(socks|make)"
    ):
        proxy_for(API_URL)


@pytest.mark.parametrize(
    "exempt", ["freesound.org", ".org", "*", "a.example, freesound.org", "freesound.org:443", "FREESOUND.ORG"]
)
def test_no_proxy_names_hosts_that_are_reached_directly(exempt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert proxy_for(API_URL) is None
    monkeypatch.setenv("NO_PROXY", "sound.org.example, reesound.org, freesound.org:80")
    assert proxy_for(API_URL) is not None


def test_this_machine_is_never_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "no proxy at all")
    monkeypatch.setenv("ALL_PROXY", "ftp://x")
    assert [proxy_for(one) for one in ("http://127.0.0.1:80/", "http://[::1]/", "http://localhost/")] == [None] * 3


def test_an_empty_variable_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", " ")
    assert proxy_for(API_URL) is None
