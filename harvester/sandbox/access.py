"""Check keys; answer missing or refused ones as API.md §1 says.

Invariant: the `token` parameter is read only when there is no Authorization header. A key itself never
leaves this module; logs get its fingerprint.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256

from harvester.sandbox.reply import NO_CREDENTIALS, PENDING, SUSPENDED, Reply, detail, unauthorised

STANDINGS = ("suspended", "revoked", "pending", "inactive")


class Access:
    """The accepted `tokens`, and further keys with one of `STANDINGS`."""

    def __init__(self, tokens: Collection[str], standings: Mapping[str, str]) -> None:
        unknown = set(standings.values()) - set(STANDINGS)
        if unknown:
            raise ValueError(f"a key is {', '.join(STANDINGS)}, not {', '.join(sorted(unknown))}")
        self._tokens = frozenset(tokens)
        self._standings = dict(standings)

    def authenticate(self, authorization: str, token_parameter: str) -> str | Reply:
        """Return the key of a request, or the reply that refuses it."""
        words = authorization.split()
        scheme = words[0].lower() if words else ""
        if scheme == "bearer":
            return unauthorised(
                NO_CREDENTIALS,
                'Bearer realm="api",error="invalid_token",error_description="The access token is invalid."',
            )
        if scheme == "token":
            if len(words) == 1:
                return unauthorised("Invalid token header. No credentials provided.")
            if len(words) > 2:
                return unauthorised("Invalid token header. Token string should not contain spaces.")
            return self._judge(words[1])
        if scheme or not token_parameter:
            return unauthorised(NO_CREDENTIALS)
        return self._judge(token_parameter)

    def token_in(self, authorization: str, token_parameter: str) -> str | None:
        """Return the key of a request, valid or not; None without one."""
        words = authorization.split()
        if not words:
            return token_parameter or None
        return words[1] if len(words) == 2 and words[0].lower() == "token" else None

    def _judge(self, token: str) -> str | Reply:
        standing = self._standings.get(token)
        if standing == "suspended":
            return detail(429, SUSPENDED)
        if standing == "inactive":
            return unauthorised("User inactive or deleted")
        if standing is not None:
            return unauthorised(PENDING)
        return token if token in self._tokens else unauthorised("Invalid token")


def fingerprint(token: str) -> str:
    """Return the first 12 hexadecimal digits of the key's SHA-256."""
    return sha256(token.encode()).hexdigest()[:12]
