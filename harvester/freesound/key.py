"""The API key: the one object that holds it, so that no log, message or traceback shows it by accident.

Keeps the key out of `repr`, `str`, pickles and comparisons; only `reveal` gives it, to the header that carries it.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn

from harvester.errors import SettingsError


class ApiKey:
    """A Freesound API key that shows itself only when asked by `reveal`."""

    __slots__ = ("__secret", "fingerprint")

    def __init__(self, secret: str) -> None:
        """Take the key; raises `SettingsError` (without naming it) when no header can carry it."""
        stripped = secret.strip()
        if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
            raise SettingsError("FREESOUND_API_KEY is empty or holds characters that no API key has")
        self.__secret = stripped
        self.fingerprint = hashlib.sha256(stripped.encode()).hexdigest()[:12]
        """First 12 hexadecimal digits of the key's SHA-256: names the key in the ledger without giving it away."""

    def reveal(self) -> str:
        return self.__secret

    def __repr__(self) -> str:
        return f"ApiKey({self.fingerprint})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is never written anywhere")
