"""Make the systemd unit or cron line that keeps a harvest running."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from harvester.actions.keywords import StrPath
from harvester.default_folders import real_library
from harvester.errors import SettingsError
from harvester.storage import read_path

# A restart does not help after these: settings, a refused key, changed answers, another writer, a library of another
# source or a newer version, a corrupt library, a placeholder, a plugin that fails. After an outage (11), it does.
_HOPELESS = (2, 10, 12, 20, 21, 22, 23, 24, 27, 29)

_UNIT = """\
# Put this into ~/.config/systemd/user/harvester.service, then:
#   systemctl --user daemon-reload && systemctl --user enable --now harvester
#   loginctl enable-linger    (so that it runs while you are logged out)
[Unit]
Description=harvester: grow {named}
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
WorkingDirectory={folder}
ExecStart={command} harvest --forever --no-progress --library {library}
# SIGTERM stops cleanly: open requests finish, the checkpoint is written.
KillSignal=SIGTERM
TimeoutStopSec=120
WatchdogSec=300
Restart=on-failure
RestartSec=60
RestartPreventExitStatus={hopeless}
Nice=10
IOSchedulingClass=idle
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictSUIDSGID=yes
LockPersonality=yes
UMask=0077

[Install]
WantedBy=default.target
"""

_CRON = """\
# Put this into `crontab -e`: an hourly run that spends the available quota and ends.
17 * * * * cd {folder} && {command} --quiet harvest --samples 2000 --time-limit 50m --no-progress --library {library}
"""


def service_text(
    print_kind: str,
    *,
    library: StrPath | None = None,
    command: Sequence[str] = (sys.executable, "-P", "-m", "harvester"),
) -> str:
    """Return a systemd unit or a cron line that runs a harvest.

    It runs in the present folder, and harvests `library` or the default folder. `print_kind` is systemd or cron;
    `command` the program and the arguments that start harvester. Nothing is written. Raises `SettingsError` for another
    kind, and for a path that systemd and cron cannot hold.
    """
    templates = {"systemd": _UNIT, "cron": _CRON}
    if print_kind not in templates:
        raise SettingsError(f"--print {print_kind} is not known; choose from {', '.join(templates)}")
    folder = Path.cwd()
    path = str((folder / (read_path(library) if library else real_library())).absolute())
    if not f"{path}{''.join(command)}".isprintable():
        raise SettingsError("systemd and cron accept no path with line breaks or unusual characters; move the folder")
    if print_kind == "systemd" and set(command[0]) & set("\"'\\"):
        raise SettingsError(
            "systemd runs no program whose path has a quote or a backslash; install harvester elsewhere"
        )
    quote = _cron_quoted if print_kind == "cron" else _systemd_quoted
    words = list(map(quote, command))
    if print_kind == "systemd" and "$" in f"{path}{''.join(words)}":
        words[0] = _without_variables(words[0])
    return templates[print_kind].format(
        folder=quote(str(folder)) if print_kind == "cron" else _systemd_setting(str(folder)),
        command=" ".join(words),
        library=quote(path),
        named=_systemd_setting(path),
        hopeless=" ".join(map(str, _HOPELESS)),
    )


def _cron_quoted(path: str) -> str:
    # cron ends a command at a percent sign, also within quotes, and removes a backslash before it.
    return shlex.quote(path).replace("%", r"\%")


def _systemd_setting(path: str) -> str:
    # systemd unquotes command lines only. It strips blanks at the end of a line, and a backslash there joins the next
    # line; it removes a slash after a folder's name.
    return path.replace("%", "%%") + ("/" if path.endswith((" ", "\\")) else "")


def _without_variables(program: str) -> str:
    # With a colon before the program, systemd takes every $ of the command line as it is. Doubling would do so in the
    # arguments only: systemd finds the program without replacing variables, and replaces them in its first argument.
    return f'":{program[1:]}' if program.startswith('"') else f":{program}"


def _systemd_quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"' if any(char in path for char in " \t'\"\\;") else escaped
