"""Hold the API key out of logs, messages, tracebacks and pickles."""

from __future__ import annotations

import hashlib
from typing import NoReturn

from harvester.errors import SettingsError


class ApiKey:
    """A Freesound API key; only `reveal` returns its text."""

    __slots__ = ("__secret", "fingerprint")

    def __init__(self, secret: str) -> None:
        """Check the key; raise `SettingsError` if no header can hold it."""
        stripped = secret.strip()
        if not stripped or not stripped.isascii() or not stripped.isprintable() or " " in stripped:
            raise SettingsError("FREESOUND_API_KEY is empty or holds characters that no API key has")
        self.__secret = stripped
        self.fingerprint = hashlib.sha256(stripped.encode()).hexdigest()[:12]
        """First 12 hexadecimal digits of the key's SHA-256: the ledger's name of the key."""

    def reveal(self) -> str:
        """Return the key, for the header that sends it."""
        return self.__secret

    def __repr__(self) -> str:
        return f"ApiKey({self.fingerprint})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key cannot be pickled")
