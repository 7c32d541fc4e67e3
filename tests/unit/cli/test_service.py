"""The systemd unit and the cron line, word for word: they stay on machines for years."""

from __future__ import annotations

import shlex
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
ExecReload=/bin/kill -HUP $MAINPID
# SIGTERM stops cleanly: open requests finish, the checkpoint is written.
KillSignal=SIGTERM
TimeoutStopSec=120
WatchdogSec=300
Restart=on-failure
RestartSec=60
RestartPreventExitStatus=2 10 12 20 21 22 23 24 27
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


@pytest.mark.parametrize("kind", ["systemd", "cron"])
def test_run_as_a_module_it_prints_the_module(kind: str, tmp_path: Path) -> None:
    told = call("service", "--print", kind, cwd=tmp_path, argv0="/opt/lib/harvester/__main__.py").out
    assert f"{sys.executable} -P -m harvester " in told
    assert "__main__.py" not in told
