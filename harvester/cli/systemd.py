"""What systemd is told: that the harvest is ready, alive, and ending. Silent where nobody asked for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from harvester.terminal_text import escape_line


class Notifier:
    """Sends states to the socket that `NOTIFY_SOCKET` names (man sd_notify); `watchdog_s` is how often it wants a sign
    of life, half the configured time, or None."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        watchdog = environment.get("WATCHDOG_USEC", "")
        addressed = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(watchdog) / 2e6 if self._address and watchdog.isdigit() and addressed else None

    def ready(self) -> None:
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Say that the event loop still turns, with one line for `systemctl status`."""
        self._send(f"WATCHDOG=1\nSTATUS={escape_line(status)}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for Linux's abstract names.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.connect(address)
                connection.send(message.encode())
        except OSError:
            # Nobody listens any more; being supervised is not worth ending a harvest for.
            self._address = ""
