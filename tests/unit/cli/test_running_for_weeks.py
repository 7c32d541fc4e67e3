"""What an operator needs: a log that stays small, systemd told, a unit that systemd accepts."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harvester.actions.log import KEPT_FILES, LARGEST_BYTES, RunLog
from harvester.cli import app
from harvester.cli.console import note
from harvester.cli.systemd import Notifier
from harvester.told import Told


class StandingClock:
    def time_us(self) -> int:
        return 1_790_000_000_000_000

    def monotonic_s(self) -> float:
        return 0.0

    async def sleep(self, delay_s: float) -> None:
        raise AssertionError("nothing here waits")


def test_a_line_of_the_log_has_the_time_and_cannot_be_forged(tmp_path: Path) -> None:
    log = RunLog(tmp_path, StandingClock(), note)
    log.write(Told("sound 7: 100 %s\n2026-01-01T00:00:00Z all lost\u202e"))
    text = (tmp_path / "harvest.log").read_text(encoding="utf-8")
    assert text == "2026-09-21T14:13:20Z sound 7: 100 %s 2026-01-01T00:00:00Z all lost\\u202e\n"
    log.close()


def test_the_log_is_rotated_and_old_parts_go(tmp_path: Path) -> None:
    log = RunLog(tmp_path, StandingClock(), note)
    line = "x" * 100_000
    for _ in range((KEPT_FILES + 2) * LARGEST_BYTES // 100_000):
        log.write(Told(line))
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["harvest.log", *(f"harvest.log.{number}" for number in range(1, KEPT_FILES + 1))]
    assert all(path.stat().st_size <= LARGEST_BYTES for path in tmp_path.iterdir())


def test_a_log_leaves_a_file_that_was_moved_away_and_begins_a_new_one(tmp_path: Path) -> None:
    log = RunLog(tmp_path, StandingClock(), note)
    log.write(Told("before"))
    (tmp_path / "harvest.log").rename(tmp_path / "moved")
    log.write(Told("after"))
    log.close()
    assert "after" in (tmp_path / "harvest.log").read_text()
    assert "after" not in (tmp_path / "moved").read_text()


def test_a_log_that_cannot_be_written_is_told_once_and_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "harvest.log").mkdir()
    log = RunLog(tmp_path, StandingClock(), note)
    log.write(Told("one"))
    log.write(Told("two"))
    assert capsys.readouterr().err.count("cannot be written") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_log_whose_disk_has_gone_is_closed_without_a_word_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "harvest.log").symlink_to("/dev/full")
    log = RunLog(tmp_path, StandingClock(), note)
    log.write(Told("one"))
    log.close()
    log.write(Told("two"))
    log.close()
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_systemd_hears_ready_alive_and_stopping(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000000"})
        assert notifier.watchdog_s == 150
        notifier.ready()
        notifier.alive("3 samples")
        notifier.stopping()
        heard = [listener.recv(200) for _ in range(3)]
    assert heard == [b"READY=1", b"WATCHDOG=1\nSTATUS=3 samples", b"STOPPING=1"]


def test_without_systemd_nothing_is_sent_and_a_vanished_socket_is_no_error(tmp_path: Path) -> None:
    assert Notifier({}).watchdog_s is None
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["service", "--print", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_unit_names_this_folder_and_gives_up_on_what_a_restart_cannot_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my 100% library"
    folder.mkdir()
    monkeypatch.chdir(folder)
    unit = printed("systemd")
    assert "Restart=on-failure" in unit
    assert "RestartPreventExitStatus=1 2 10 12 21" in unit  # 11, an outage, is restarted
    assert f'--library "{str(folder).replace("%", "%%")}/freesound_library"' in unit
    if shutil.which("systemd-analyze"):
        path = tmp_path / "harvester.service"
        path.write_text(unit)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--user", path], capture_output=True, text=True, check=False
        )
        assert "harvester.service:" not in done.stderr, done.stderr


def test_the_cron_line_is_one_line_that_a_shell_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    lines = [line for line in printed("cron").splitlines() if not line.startswith("#")]
    assert len(lines) == 1
    command = lines[0].split(" ", 5)[5]
    done = subprocess.run(["sh", "-nc", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
