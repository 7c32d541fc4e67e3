"""Notify systemd of the harvest's state, if `NOTIFY_SOCKET` is set."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from harvester.terminal_text import escape_line


class Notifier:
    """Sends states to the socket in `NOTIFY_SOCKET` (man sd_notify).

    `watchdog_s` is the pause between two calls of `alive`, half the configured timeout, or None without a watchdog.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        watchdog = environment.get("WATCHDOG_USEC", "")
        addressed = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(watchdog) / 2e6 if self._address and watchdog.isdigit() and addressed else None

    def ready(self) -> None:
        """Tell systemd that the harvest has started."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Tell systemd that the run is alive, with a line for its status."""
        self._send(f"WATCHDOG=1\nSTATUS={escape_line(status)}")

    def stopping(self) -> None:
        """Tell systemd that the harvest is stopping."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ marks one of Linux's abstract names.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.connect(address)
                connection.send(message.encode())
        except OSError:
            # The socket is gone. A harvest goes on without supervision.
            self._address = ""
