"""Make the unit, the job or the line that keeps a harvest running.

Owns how each of them reads a path. Which exit codes are followed by a restart is the table in `errors`.
"""

from __future__ import annotations

import plistlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from harvester.actions.keywords import StrPath
from harvester.default_folders import real_library
from harvester.errors import SettingsError, exit_code_table
from harvester.storage import read_path

_RESTART_DELAY_S = 300
"""Seconds before a restart: after an outage, a restart that finds it unchanged sends one request, so 288 a day."""

_STOP_TIMEOUT_S = 120
"""Seconds that a stopping harvest has for its open requests and the checkpoint, before it is killed."""

_ENDED = [str(one.code) for one in exit_code_table() if one.is_success]
_HOPELESS = [str(one.code) for one in exit_code_table() if not one.is_success and not one.restart_helps]

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
TimeoutStopSec={stop_s}
WatchdogSec=300
# `harvester guide exit-codes` says after which exit codes a restart helps.
Restart=on-failure
RestartSec={delay_s}
SuccessExitStatus={ended}
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


_LABEL = "local.harvester"

_LAUNCHD_COMMENT = f"""\
<!--
Put this into ~/Library/LaunchAgents/{_LABEL}.plist, then:
  launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/{_LABEL}.plist
Look at it, stop and remove it:
  launchctl print gui/$(id -u)/{_LABEL}
  launchctl bootout gui/$(id -u)/{_LABEL}
A second library needs another label and file name. The job does not know the variables of your shell: the key belongs
into the file .env in the working folder. The run logs to harvest.log in the library.

launchd only tells an exit code of 0 from all others. So a few lines of shell run the harvest, pass SIGTERM on to it,
and end with 0 where a restart does not help (`harvester guide exit-codes`). launchd cannot wait after a failure: it
starts the job again at once when the last start was longer ago than ThrottleInterval. It has no watchdog either.
-->
"""

# A signal that comes before the shell knows its child is passed on later, and once: a second one would abort the run.
# The shell knows it after a pause, because a child loses a signal that comes before its program is loaded.
# A signal ends `wait` early with a code of its own, so the shell waits again; 127 means that it knows the code already.
_LAUNCHD_SHELL = f"""\
harvest= early=
trap 'signalled=yes; if [ "$harvest" ]; then kill -TERM "$harvest"; else early=yes; fi' INT TERM
"$@" &
sleep 0.2
harvest=$!
[ -z "$early" ] || kill -TERM "$harvest"
signalled=yes code=127
while [ "$signalled" ]; do
    signalled=
    wait "$harvest"
    told=$?
    [ "$told" = 127 ] || code=$told
done
case $code in
{"|".join([*_ENDED, *_HOPELESS])}) exit 0 ;;
esac
exit "$code"
"""


def service_text(
    print_kind: str,
    *,
    library: StrPath | None = None,
    command: Sequence[str] = (sys.executable, "-P", "-m", "harvester"),
) -> str:
    """Return a unit, a job or a cron line that runs a harvest.

    It runs in the present folder, and harvests `library` or the default folder. `print_kind` is systemd, launchd or
    cron; `command` the program and the arguments that start harvester. Nothing is written. Raises `SettingsError` for
    another kind, and for a path that these programs cannot hold.
    """
    makers = {"systemd": _systemd_unit, "launchd": _launchd_job, "cron": _cron_line}
    if print_kind not in makers:
        raise SettingsError(f"--print {print_kind} is not known; choose from {', '.join(makers)}")
    folder = str(Path.cwd())
    path = str((Path(folder) / (read_path(library) if library else real_library())).absolute())
    if not f"{path}{''.join(command)}".isprintable():
        raise SettingsError(
            "systemd, launchd and cron accept no path with line breaks or unusual characters; move the folder"
        )
    return makers[print_kind](command, folder, path)


def _systemd_unit(command: Sequence[str], folder: str, path: str) -> str:
    if set(command[0]) & set("\"'\\"):
        raise SettingsError(
            "systemd runs no program whose path has a quote or a backslash; install harvester elsewhere"
        )
    words = list(map(_systemd_quoted, command))
    if "$" in f"{path}{''.join(words)}":
        words[0] = _without_variables(words[0])
    return _UNIT.format(
        folder=_systemd_setting(folder),
        command=" ".join(words),
        library=_systemd_quoted(path),
        named=_systemd_setting(path),
        stop_s=_STOP_TIMEOUT_S,
        delay_s=_RESTART_DELAY_S,
        ended=" ".join(code for code in _ENDED if code != "0"),
        hopeless=" ".join(_HOPELESS),
    )


def _launchd_job(command: Sequence[str], folder: str, path: str) -> str:
    harvest = [*command, "--quiet", "harvest", "--forever", "--no-progress", "--library", path]
    log = str(Path(folder) / f"{_LABEL}.log")
    job = {
        "Label": _LABEL,
        # The shell gets each word as an argument of its own, so that none of them needs quotes.
        "ProgramArguments": ["/bin/sh", "-c", _LAUNCHD_SHELL, "harvester", *harvest],
        "WorkingDirectory": folder,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": _RESTART_DELAY_S,
        "ExitTimeOut": _STOP_TIMEOUT_S,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "Nice": 10,
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    text = plistlib.dumps(job, sort_keys=False).decode()
    head, root, rest = text.partition("<plist ")
    return f"{head}{_LAUNCHD_COMMENT}{root}{rest}"


def _cron_line(command: Sequence[str], folder: str, path: str) -> str:
    return _CRON.format(
        folder=_cron_quoted(folder), command=" ".join(map(_cron_quoted, command)), library=_cron_quoted(path)
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
