"""`harvester previews` against servers and records that mean harm, and beside other commands."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harvester.model import Seen
from harvester.storage.lock import WriterLock
from tests.support.clones import environment as author
from tests.support.command import call
from tests.support.processes import Ended
from tests.support.samples import NOW_US, SOURCE, grow, open_store
from tests.support.view_samples import make_record

AUDIO = b"OggS\0\2" + bytes(20) + b"\1\x1e\1vorbis" + bytes(20_000)
KEY = "Zq7kVtheKEYw3Lx9PmB4nRsT2uYdGhJcFa5eK8oQ"
HARM = {
    1: (200, {"Content-Type": "audio/ogg"}, AUDIO),
    2: (302, {"Location": "http://127.0.0.1:9/previews/0/2_7-lq.ogg"}, b""),
    3: (302, {"Location": "file:///etc/passwd"}, b""),
    4: (200, {"Content-Type": "audio/ogg"}, b"<html>no audio</html>" + bytes(600)),
    5: (200, {"Content-Type": "audio/ogg", "Content-Length": "9999999999"}, b"OggS"),
    6: (200, {"Content-Type": "audio/ogg", "Content-Encoding": "gzip"}, AUDIO),
    7: (302, {"Location": "/previews/0/7_7-lq.ogg"}, b""),
    8: (200, {"Content-Type": "audio/ogg", "Content-Length": ""}, AUDIO),
    9: (302, {"Location": "/previews/0/1_7-lq.ogg"}, b""),
    10: (200, {"Content-Type": "audio/ogg"}, b""),
}
"""What the server answers for each sound: status, headers and body."""
REASONS = {
    2: "a redirect leads to", 3: "a redirect leads to", 4: "it is no ogg file", 5: "it is larger than",
    6: "compressed", 7: "more than 3 redirects", 8: "does not tell its length", 10: "the file is empty",
}  # fmt: skip


class Harmful(BaseHTTPRequestHandler):
    """Answers as HARM says, and notes what it was asked."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.asked.append((self.path, dict(self.headers)))
        status, headers, body = HARM[int(self.path.rpartition("/")[2].partition("_")[0])]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    one = ThreadingHTTPServer(("127.0.0.1", 0), Harmful)
    threading.Thread(target=one.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{one.server_port}/apiv2/"
    one.shutdown()
    one.server_close()


def make_library(folder: Path, source: str, address: str, count: int = 10) -> None:
    with open_store(folder) as store:
        store.set_source(source)
        more = {sound_id: {"preview-lq-ogg": address.format(sound_id)} for sound_id in range(1, count + 1)}
        grow(store, [Seen(one, make_record(one, previews=previews), NOW_US + one) for one, previews in more.items()])
        store.checkpoint(backup=True)


def previews(cwd: Path, *options: object, key: str = KEY) -> Ended:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FREESOUND_API_KEY", key)
        return call("-v", "previews", "--library", "lib", "--per-minute", 60_000, *options, cwd=cwd)


def test_no_harmful_answer_becomes_a_file_or_leads_elsewhere(tmp_path: Path, server: str) -> None:
    make_library(tmp_path / "lib", "sandbox:abc", "https://sandbox.invalid/previews/0/{}_7-lq.ogg")
    Harmful.asked.clear()
    ended = previews(tmp_path, "--all", "--api-url", server, "--json")
    report = json.loads(ended.out)
    assert (ended.code, report["fetched"], report["failed"]) == (0, 2, 8), ended.err
    folder = tmp_path / "lib" / "previews"
    assert sorted(path.name for path in folder.glob("[0-9]*")) == ["1.ogg", "9.ogg"]
    assert (folder / "1.ogg").read_bytes() == AUDIO
    rows = [json.loads(line) for line in (folder / "lost.jsonl").read_text().splitlines()]
    assert all(REASONS[row["id"]] in row["reason"] for row in rows)
    assert {row["id"] for row in rows} == REASONS.keys()
    names = {name.lower() for _, headers in Harmful.asked for name in headers}
    assert names == {"host", "accept", "accept-encoding", "user-agent"}, "no key, no cookie"
    assert KEY not in repr(Harmful.asked) + ended.err + ended.out
    # What failed waits for its time; the terms are told once.
    again = previews(tmp_path, "--all", "--api-url", server)
    assert "nothing to do: 2 previews here already; 8 lost before: requested again from" in again.err
    assert ("tos_api" in ended.err, "tos_api" in again.err) == (True, False)


@pytest.mark.parametrize(
    "address",
    ["file:///previews/0/{}_7-lq.ogg", "http://127.0.0.1/previews/0/{}_7-lq.ogg", "https://evil.example/previews/{}_7.ogg"],
)  # fmt: skip
def test_records_with_another_address_are_left_out_and_counted(tmp_path: Path, address: str) -> None:
    make_library(tmp_path / "lib", SOURCE, address)
    ended = call("previews", "--library", "lib", "--all", cwd=tmp_path)
    assert ended.code == 0
    assert "10 sounds with an address to which no request is sent, such as sound 1: " in ended.err
    assert not (tmp_path / "lib" / "previews").exists()


def test_sounds_of_another_sandbox_are_refused_before_anything_is_saved(tmp_path: Path, server: str) -> None:
    make_library(tmp_path / "lib", "sandbox:abc", "https://sandbox.invalid/previews/0/{}_7-lq.ogg", 1)
    headers = HARM[1][1]
    headers["X-Freesound-Sandbox"] = "another"
    try:
        ended = previews(tmp_path, "--all", "--api-url", server)
    finally:
        del headers["X-Freesound-Sandbox"]
    assert ended.code == 23, ended.err
    assert "come from another sandbox (catalogue another)" in ended.err
    assert not list((tmp_path / "lib" / "previews").glob("[0-9]*"))


def test_it_runs_beside_a_writer_git_never_gets_it_and_forget_removes_it(tmp_path: Path, server: str) -> None:
    make_library(tmp_path / "lib", "sandbox:abc", "https://sandbox.invalid/previews/0/{}_7-lq.ogg")
    writer = WriterLock(tmp_path / "lib")
    writer.acquire(NOW_US)
    assert previews(tmp_path, "--ids", ids(tmp_path, 1, 9), "--api-url", server).code == 0
    writer.release()
    folder = tmp_path / "lib" / "previews"
    assert "/sounds/1/" in (folder / "CREDITS.md").read_text()

    def git(*words: str) -> str:
        environ = author(tmp_path)
        return subprocess.run(
            ["git", *words], cwd=tmp_path, env=environ, check=True, capture_output=True, text=True
        ).stdout

    git("init", "--quiet")
    git("add", "--all")
    assert "previews" not in git("ls-files")
    shutil.rmtree(tmp_path / ".git")

    would = call("forget", 1, "--library", "lib", "--dry-run", cwd=tmp_path)
    assert "1 fetched preview removed" in would.err
    assert (folder / "1.ogg").exists()
    done = call("forget", 1, "--library", "lib", "--yes", cwd=tmp_path)
    assert (done.code, "1 fetched preview removed" in done.err) == (0, True), done.err
    assert sorted(path.name for path in folder.glob("[0-9]*")) == ["9.ogg"]
    assert [json.loads(line)["id"] for line in (folder / "manifest.jsonl").read_text().splitlines()] == [9]
    assert "/sounds/1/" not in (folder / "CREDITS.md").read_text()


def test_a_dry_run_tells_the_pace_and_the_size_of_what_the_run_then_does(tmp_path: Path) -> None:
    assert call("harvest", "--sandbox", "--samples", 2, "--library", "lib", cwd=tmp_path).code == 0
    some = ("previews", "--library", "lib", "--min-duration", "10s", "--max-files", 1_000)
    would = call(*some, "--dry-run", "--json", cwd=tmp_path)
    told, report = would.err.splitlines()[-1], json.loads(would.out)
    assert report["per_minute"] is None
    assert ", without a limit; 0 here already" in told
    done = json.loads(call(*some, "--json", cwd=tmp_path).out)
    assert (done["fetched"], done["per_minute"]) == (report["left"], None)
    assert done["fetched_bytes"] / 1.6 < report["expected_bytes"] < done["fetched_bytes"] * 1.6
    told = call(*some, "--dry-run", "--per-minute", 120, "--quality", "hq", cwd=tmp_path).err.splitlines()[-1]
    assert " at 120 a minute; " in told
    # From a server at an address, and from Freesound, they come at the pace that the run keeps.
    make_library(tmp_path / "real", SOURCE, "https://cdn.freesound.org/previews/0/{}_7-lq.ogg")
    real = ("previews", "--library", "real", "--all", "--dry-run")
    assert "10 previews to fetch" in call(*real, cwd=tmp_path).err
    assert "in about 10 s at 60 a minute; 0 here already" in call(*real, cwd=tmp_path).err
    fast = call(*real, "--per-minute", 601, cwd=tmp_path)
    assert (fast.code, fast.err) == (2, "harvester: --per-minute: at most 600 for Freesound; nothing was fetched\n")


def test_one_preview_is_told_as_one(tmp_path: Path, server: str) -> None:
    make_library(tmp_path / "lib", "sandbox:abc", "https://sandbox.invalid/previews/0/{}_7-lq.ogg", 1)
    first, again = (previews(tmp_path, "--all", "--api-url", server) for _ in range(2))
    dry = ("--all", "--api-url", server, "--dry-run")
    assert "1 preview fetched" in first.err
    assert "nothing to do: 1 preview here already\n" in again.err
    (tmp_path / "lib" / "previews" / "1.ogg").unlink()
    assert "1 preview of the manifest not here any more" in previews(tmp_path, *dry).err
    none = previews(tmp_path, *dry, "--format", "mp3")
    assert "1 sound without such a preview in the record" in none.err
    make_library(tmp_path / "lib2", SOURCE, "https://evil.example/previews/{}_7.ogg", 1)
    left_out = call("previews", "--library", "lib2", "--all", cwd=tmp_path)
    assert "1 sound with an address to which no request is sent, such as sound 1: " in left_out.err


def ids(folder: Path, *sound_ids: int) -> Path:
    path = folder / "ids.txt"
    path.write_text("\n".join(map(str, sound_ids)))
    return path
