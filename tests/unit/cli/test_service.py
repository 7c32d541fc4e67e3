"""The systemd unit, the launchd job and the cron line, word for word: they stay on machines for years."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.actions import service_text
from harvester.errors import exit_code_table
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
# `harvester guide exit-codes` says after which exit codes a restart helps.
Restart=on-failure
RestartSec=300
SuccessExitStatus=129 130 143
RestartPreventExitStatus=1 2 10 12 21 22 23 24 27 28 29 30 31 141
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


SHELL = """\
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
0|129|130|143|1|2|10|12|21|22|23|24|27|28|29|30|31|141) exit 0 ;;
esac
exit "$code"
"""


@pytest.mark.parametrize(("kind", "text"), [("systemd", UNIT), ("cron", CRON)])
def test_it_is_this_text(kind: str, text: str, tmp_path: Path) -> None:
    ended = call("service", "--print", kind, cwd=tmp_path, argv0="/opt/bin/harvester")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == text.format(folder=tmp_path)


def _job(folder: Path, argv0: str = "/opt/bin/harvester") -> dict[str, Any]:
    """Return the launchd job that is printed in a folder."""
    ended = call("service", "--print", "launchd", cwd=folder, argv0=argv0)
    assert ended.code == 0, ended.err
    job: dict[str, Any] = plistlib.loads(ended.out.encode())
    return job


def test_the_launchd_job_is_this_one(tmp_path: Path) -> None:
    job = _job(tmp_path)
    sh, option, script, name, *words = job.pop("ProgramArguments")
    assert (sh, option, name) == ("/bin/sh", "-c", "harvester")
    assert script == SHELL
    assert words == [
        *("/opt/bin/harvester", "--quiet", "harvest", "--forever", "--no-progress", "--library"),
        f"{tmp_path}/freesound_library",
    ]
    assert job == {
        "Label": "local.harvester", "WorkingDirectory": str(tmp_path), "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False}, "ThrottleInterval": 300, "ExitTimeOut": 120,
        "ProcessType": "Background", "LowPriorityIO": True, "Nice": 10, "Umask": 0o077,
        "StandardOutPath": f"{tmp_path}/local.harvester.log", "StandardErrorPath": f"{tmp_path}/local.harvester.log",
    }  # fmt: skip


def test_the_launchd_job_tells_how_to_install_it(tmp_path: Path) -> None:
    told = call("service", "--print", "launchd", cwd=tmp_path).out
    comment = told.partition("<!--")[2].partition("-->")[0]
    assert "launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/local.harvester.plist" in comment
    assert "--" not in comment  # XML forbids it


def _after(kind: str, code: int, told: str) -> str:
    """Return what systemd or launchd does after an exit code: systemd.service(5), launchd.plist(5)."""
    if kind == "launchd":
        job = plistlib.loads(told.encode())
        script = job["ProgramArguments"][2].replace("sleep 0.2\n", "")  # there is no signal here
        done = subprocess.run(["sh", "-c", script, "harvester", "sh", "-c", f"exit {code}"], check=False, timeout=30)
        return "restart" if (done.returncode == 0) is job["KeepAlive"]["SuccessfulExit"] else "stop"
    unit = dict(line.split("=", 1) for line in told.splitlines() if "=" in line and not line.startswith("#"))
    assert unit["Restart"] == "on-failure"
    if code == 0 or str(code) in unit["SuccessExitStatus"].split():
        return "stop"
    return "stop" if str(code) in unit["RestartPreventExitStatus"].split() else "restart"


@pytest.mark.parametrize("kind", ["systemd", "launchd"])
def test_after_every_exit_code_a_service_does_what_the_table_says(kind: str, tmp_path: Path) -> None:
    told = call("service", "--print", kind, cwd=tmp_path, argv0="/opt/bin/harvester").out
    wanted = {one.code: "restart" if one.restart_helps else "stop" for one in exit_code_table()}
    assert {code: _after(kind, code, told) for code in wanted} == wanted
    # What is in no table is a crash: 137 is a process that the system killed for lack of memory.
    assert [_after(kind, code, told) for code in (71, 137, 139)] == ["restart"] * 3


def test_launchds_sigterm_reaches_the_harvest_and_its_exit_code_launchd(tmp_path: Path) -> None:
    script = _job(tmp_path)["ProgramArguments"][2]
    harvest = "trap 'echo stopping; kill $napping; exit 11' TERM; sleep 30 & napping=$!; echo ready; wait; exit 12"
    with subprocess.Popen(
        ["sh", "-c", script, "harvester", "sh", "-c", harvest], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.stdout.readline() == "stopping\n"
        assert process.wait(60) == 11


def test_launchds_sigterm_before_the_harvest_has_begun_ends_it_too(tmp_path: Path) -> None:
    script = _job(tmp_path)["ProgramArguments"][2].replace('"$@" &', 'kill -TERM $$\n"$@" &')
    done = subprocess.run(["sh", "-c", script, "harvester", "sleep", "30"], check=False, timeout=10)
    assert done.returncode == 0  # 143: launchd itself asked for it


@pytest.mark.parametrize("kind", ["systemd", "cron", "launchd"])
def test_the_command_in_it_is_one_that_this_version_has(kind: str, tmp_path: Path) -> None:
    if kind == "launchd":
        arguments = _job(tmp_path)["ProgramArguments"][5:]
    else:
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


NAMES = st.text(st.sampled_from(" '\"\\%$&<>;#|*?~{}()[]!-ab`=:,@+é語\u0301"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..")
)


def _read_cron(told: str) -> list[str]:
    """Return the words that cron's shell runs: cron cuts at a percent sign and unescapes a backslash before it."""
    [line] = [one for one in told.splitlines() if not one.startswith("#")]
    command = re.split(r"(?<!\\)%", line.split(" ", 5)[5])[0].replace(r"\%", "%")
    return shlex.split(command)


def _read_systemd(line: str) -> list[str]:
    """Return the words of a command line as systemd splits them (systemd.syntax(7), systemd.service(5))."""
    text = line.removeprefix(":") if line.startswith(":") else line
    words, word, quote, place, started = [], "", "", 0, False
    while place < len(text):
        char = text[place]
        if char == "\\":
            place += 1
            word += text[place]
        elif quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in "\"'" and not started:
            quote = char
        elif char == " ":
            words.append(word)
            word, place, started = "", place + 1, False
            continue
        else:
            word += char
        started = True
        place += 1
    whole = [*words, word]
    assert not quote
    assert all("%" not in one.replace("%%", "") for one in whole)
    if not line.startswith((":", '":')):
        assert all("$" not in one for one in whole)
    return [one.removeprefix(":").replace("%%", "%") for one in whole]


@given(names=st.tuples(NAMES, NAMES))
@settings(max_examples=60, deadline=None)
def test_any_path_comes_back_as_it_was_from_all_three(names: tuple[str, str]) -> None:
    library, program = (f"/srv/{name}/x" for name in names)
    wanted = [program, "harvest", library]
    job = plistlib.loads(service_text("launchd", library=library, command=[program]).encode())
    words = job["ProgramArguments"][4:]
    assert [words[0], words[2], words[-1]] == wanted
    words = _read_cron(service_text("cron", library=library, command=[program]))
    assert [words[3], words[5], words[-1]] == wanted
    if not set(program) & set("\"'\\"):
        unit = service_text("systemd", library=library, command=[program])
        [line] = [one for one in unit.splitlines() if one.startswith("ExecStart=")]
        words = _read_systemd(line.removeprefix("ExecStart="))
        assert [words[0], words[1], words[-1]] == wanted


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
