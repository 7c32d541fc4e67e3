"""The systemd unit and the cron line, word for word: they stay on machines for years."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import call

UNIT = """\
# Put this into ~/.config/systemd/user/harvester.service, then:
#   systemctl --user daemon-reload && systemctl --user enable --now harvester
#   loginctl enable-linger    (so that it runs while you are logged out)
[Unit]
Description=harvester: grow {folder}/freesound_library
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
WorkingDirectory={folder}
ExecStart=/opt/bin/harvester harvest --forever --no-progress --library {folder}/freesound_library
# SIGTERM stops cleanly: open requests finish, the checkpoint is written.
KillSignal=SIGTERM
TimeoutStopSec=120
WatchdogSec=300
Restart=on-failure
RestartSec=60
RestartPreventExitStatus=2 10 12 20 21 22 23 24 27 29
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
CRON = """\
# Put this into `crontab -e`: an hourly run that spends the available quota and ends.
17 * * * * cd {folder} && /opt/bin/harvester --quiet harvest --samples 2000 --time-limit 50m --no-progress \
--library {folder}/freesound_library
"""


@pytest.mark.parametrize(("kind", "text"), [("systemd", UNIT), ("cron", CRON)])
def test_it_is_this_text(kind: str, text: str, tmp_path: Path) -> None:
    ended = call("service", "--print", kind, cwd=tmp_path, argv0="/opt/bin/harvester")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == text.format(folder=tmp_path)


@pytest.mark.parametrize("kind", ["systemd", "cron"])
def test_the_command_in_it_is_one_that_this_version_has(kind: str, tmp_path: Path) -> None:
    told = call("service", "--print", kind, cwd=tmp_path, argv0="/opt/bin/harvester").out
    [line] = [one for one in told.splitlines() if "/opt/bin/harvester" in one]
    arguments = shlex.split(line.split("/opt/bin/harvester")[1])
    # The help of a command is shown only if all options before it are known.
    ended = call(*arguments, "--help", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "Usage: harvester harvest " in ended.out


def test_a_percent_sign_in_a_path_does_not_end_the_cron_line(tmp_path: Path) -> None:
    folder = tmp_path / "100% rain"
    folder.mkdir()
    told = call("service", "--print", "cron", cwd=folder, argv0="/opt/bin/harvester").out
    assert f"cd '{tmp_path}/100\\% rain' && " in told
    assert f"--library '{tmp_path}/100\\% rain/freesound_library'\n" in told
    assert told.count("%") == told.count("\\%") == 2


ODD_NAMES = {
    # The folder's name: what each of the three settings says of it. {0} is the folder above.
    "100% rain": (
        '/opt/bin/harvester … --library "{0}/100%% rain/freesound_library"',
        "{0}/100%% rain",
        "{0}/100%% rain/freesound_library",
    ),
    "$HOME": (
        ":/opt/bin/harvester … --library {0}/$HOME/freesound_library",
        "{0}/$HOME",
        "{0}/$HOME/freesound_library",
    ),
    "${USER} $$ %h": (
        ':/opt/bin/harvester … --library "{0}/${{USER}} $$ %%h/freesound_library"',
        "{0}/${{USER}} $$ %%h",
        "{0}/${{USER}} $$ %%h/freesound_library",
    ),
    'it\'s "so"\\': (
        '/opt/bin/harvester … --library "{0}/it\'s \\"so\\"\\\\/freesound_library"',
        '{0}/it\'s "so"\\/',
        '{0}/it\'s "so"\\/freesound_library',
    ),
    "blank at the end ": (
        '/opt/bin/harvester … --library "{0}/blank at the end /freesound_library"',
        "{0}/blank at the end /",
        "{0}/blank at the end /freesound_library",
    ),
}


def _unit(folder: Path, argv0: str = "/opt/bin/harvester") -> dict[str, str]:
    """Return the settings of the unit that is printed in a folder."""
    folder.mkdir()
    ended = call("service", "--print", "systemd", cwd=folder, argv0=argv0)
    assert ended.code == 0, ended.err
    return dict(line.split("=", 1) for line in ended.out.splitlines() if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize(("name", "settings"), ODD_NAMES.items(), ids=ODD_NAMES)
def test_a_path_is_written_as_each_setting_of_systemd_reads_it(
    name: str, settings: tuple[str, str, str], tmp_path: Path
) -> None:
    unit = _unit(tmp_path / name)
    command, folder, described = (setting.format(tmp_path) for setting in settings)
    assert unit["ExecStart"] == command.replace("…", "harvest --forever --no-progress")
    assert unit["WorkingDirectory"] == folder
    assert unit["Description"] == f"harvester: grow {described}"
    assert "ExecReload" not in unit


def test_a_variable_in_the_program_is_not_replaced_either(tmp_path: Path) -> None:
    assert _unit(tmp_path / "plain", "/opt/$X/harvester")["ExecStart"].startswith(":/opt/$X/harvester harvest ")
    assert _unit(tmp_path / "other", "/opt/$X y/harvester")["ExecStart"].startswith('":/opt/$X y/harvester" harvest ')


@pytest.mark.parametrize("name", ['"', "'", "\\"])
def test_a_program_that_systemd_would_refuse_is_refused(name: str, tmp_path: Path) -> None:
    program = f"/opt/{name}/harvester"
    ended = call("service", "--print", "systemd", cwd=tmp_path, argv0=program)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "harvester: systemd runs no program whose path has a quote or a backslash; install harvester elsewhere\n"
    )
    assert call("service", "--print", "cron", cwd=tmp_path, argv0=program).code == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd on this machine")
@pytest.mark.parametrize("name", [*ODD_NAMES, "{plain}"])
def test_systemd_reads_the_paths_that_were_meant(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    program = (tmp_path if '"' in name else folder) / "harvester"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "harvester.service"
    unit.write_text(call("service", "--print", "systemd", cwd=folder, argv0=str(program)).out)
    # With its log at this level, it prints each setting as it has read it.
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "debug"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"WorkingDirectory: {folder}\n" in done.stdout
    assert f"Description: harvester: grow {folder}/freesound_library\n" in done.stdout
    [line] = [one for one in done.stdout.splitlines() if "harvest --forever" in one]
    words = shlex.split(line.split("Command Line: ")[1].replace("\\$", "$"))
    assert words == [
        str(program),
        *["harvest", "--forever", "--no-progress", "--library"],
        f"{folder}/freesound_library",
    ]


@pytest.mark.parametrize("kind", ["systemd", "cron"])
def test_run_as_a_module_it_prints_the_module(kind: str, tmp_path: Path) -> None:
    told = call("service", "--print", kind, cwd=tmp_path, argv0="/opt/lib/harvester/__main__.py").out
    assert f"{sys.executable} -P -m harvester " in told
    assert "__main__.py" not in told
