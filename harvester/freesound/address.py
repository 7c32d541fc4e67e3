"""Check the API's address and encode the URL of a request.

An address must be https, or http to this machine, so that the key is never sent unencrypted. No URL holds the key.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import quote_plus, urlsplit

from harvester.errors import SettingsError

API_URL = "https://freesound.org/apiv2/"
_LONGEST_SHOWN = 80
_BEFORE_HOST = re.compile(r"^([a-z]*://)?.*@", re.IGNORECASE | re.DOTALL)
_AFTER_MARK = re.compile(r"([?#]).+", re.DOTALL)
_TWICE_DECODED = ("query", "filter")


def read_api_url(text: str) -> str:
    """Return an API address in its normal form, with a slash at its end.

    Raises `SettingsError` unless it is https, or http to this machine.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment or parts.username:
        raise SettingsError(f"the API address must look like {API_URL}, not {_shown(text)}")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingsError(f"the key is sent over https only (or to this machine), not to http://{host}")
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        shown = f"{shown}:{port}"
    path = parts.path.strip("/")
    return f"{parts.scheme}://{shown}/{path}/" if path else f"{parts.scheme}://{shown}/"


def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(text: str) -> str:
    """Return a refused address without user, password and query."""
    address = _AFTER_MARK.sub(r"\1…", _BEFORE_HOST.sub(r"\1…@", text.strip()))
    return repr(address if len(address) <= _LONGEST_SHOWN else f"{address[:_LONGEST_SHOWN]}…")


def encode_query(params: Mapping[str, str]) -> str:
    """Return the query string; encode twice what the server decodes twice."""
    safe = {name: text.replace("%", "%25") if name in _TWICE_DECODED else text for name, text in params.items()}
    return "&".join(f"{quote_plus(name)}={quote_plus(text, safe=',:()*')}" for name, text in safe.items())
