"""What a server says, in its body, its headers and its status line, is shown and obeyed by no terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from tests.support.command import call
from tests.support.fork_server import Forked
from tests.support.hostile_texts import FORGED, SPELLED, assert_harmless
from tests.support.processes import environment, run
from tests.support.quick_clock import QUICK, hasten

ALL = "".join(SPELLED) + FORGED
RAW = "\x1b]0;owned\x07\x9b31m\u202eharvester"
HEADER = b"\x1b]0;owned\x07 \x9b31m \xe2\x80\xae"


def answer(
    status: int, body: bytes, *headers: bytes, reason: bytes = b"OK", kind: bytes = b"application/json"
) -> bytes:
    head = [b"HTTP/1.1 %d %s" % (status, reason), b"Content-Type: " + kind, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*head, *headers, b"Connection: close", b"", body])


def detail(status: int, text: str = "") -> bytes:
    # Without halves of surrogate pairs, with which the body would be no JSON for a strict reader.
    said = (text or ALL).encode("utf-8", "ignore").decode()
    return answer(status, json.dumps({"detail": said}).encode())


def results(**fields: object) -> bytes:
    rows = [{"id": 7, "score": 0.9, "name": ALL} | fields, {"id": ALL}, None, ALL]
    return answer(200, json.dumps({"count": 2, "next": ALL, "results": rows}).encode())


ANSWERS = {
    "400": detail(400), "401": detail(401), "403": detail(403), "404": detail(404), "429": detail(429),
    "500": detail(500),
    "429 day": detail(429, f"Request was throttled. Exceeded limit rate of 2000/day {ALL}"),
    "search error": detail(400, f"Search server error: {RAW}"),
    "reason": answer(503, b"", reason=HEADER),
    "html": answer(502, f"<html><title>{RAW}</title>".encode(), kind=b"text/html"),
    "html 200": answer(200, RAW.encode(), kind=b"text/html"),
    "location": answer(302, b"", b"Location: https://evil.example/" + HEADER),
    "location raw": answer(301, b"", "Location: //\u202eevil/".encode()),
    "retry": answer(429, b'{"detail":"Request was throttled."}', b"Retry-After: " + HEADER),
    "type": answer(200, b"{}", kind=b"text/" + HEADER),
    "encoding": answer(200, b"{}", b"Content-Encoding: " + HEADER),
    "no json": answer(200, f'{{"results": [{RAW}'.encode()),
    "status": b"HTTP/1.1 999\x1b[2J " + HEADER + b"\r\n\r\n",
    "no http": HEADER * 20 + b"\r\n\r\n",
    "list": answer(200, json.dumps([ALL]).encode()), "names": answer(200, json.dumps({ALL: ALL}).encode()),
    "rows": results(), "typed": results(tags=[ALL, 1], username=ALL, license=ALL, created=ALL, num_downloads=ALL),
}  # fmt: skip


@contextmanager
def serving(content: bytes) -> Iterator[str]:
    """Give the address of a server that answers every request with these bytes."""

    class Answer(StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline(65_536).strip():
                pass
            self.wfile.write(content)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/apiv2/"
        finally:
            server.shutdown()


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_of_a_server_is_obeyed(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch.setattr)
    with serving(ANSWERS[name]) as url:
        limits = ("--time-limit", "1s", "--max-requests", 4, "--api-url", url, "--library", "lib")
        ended = call("harvest", "--seed", 1, "--samples", 2, *limits, cwd=tmp_path)
        assert ended.code != 70, ascii(ended.err)
        assert_harmless(ended.out, ended.err)
    for command in (("status", "--deferred"), ("check",), ("find", "a"), ("show", 7)):
        ended = call(*command, "--library", "lib", cwd=tmp_path)
        assert_harmless(ended.out, ended.err)
    for log in tmp_path.glob("lib/harvest.log"):
        assert_harmless(log.read_text(encoding="utf-8"))


def test_a_real_process_shows_the_same_off_a_terminal(tmp_path: Path) -> None:
    with serving(ANSWERS["400"]) as url:
        ended = run("plan", "--query", "rain", "--api-url", url, cwd=tmp_path)
    assert ended.code == 2
    assert "\\x1b]0;owned\\x07" in ended.err
    assert_harmless(ended.out, ended.err)


OURS = re.compile(rb"\x1b\[(?:\?25[hl]|[0-9;]*[mKJHA]|[0-9]*[ABCDG])|\r(?=\n|\x1b|$)|\r")
"""What rich and we ourselves send to a terminal: colours, the cursor, clearing."""


def on_a_terminal(cwd: Path, *arguments: object) -> bytes:
    """Run a command on a terminal of its own and return all that reached it."""
    ours, theirs = pty.openpty()
    settings = environment(cwd / "state") | {"TERM": "xterm-256color"}
    shown = b""
    process = Forked(
        list(map(str, arguments)), cwd=cwd, environment=settings, streams=(theirs, theirs),
        first=f"{QUICK}; os.dup2(1, 0); sys.stdin = sys.__stdin__ = open(0, closefd=False)",
    )  # fmt: skip
    os.close(theirs)
    try:
        while piece := os.read(ours, 65_536):
            shown += piece
    except OSError:
        # The other side is closed: the command has ended.
        pass
    process.wait(30)
    os.close(ours)
    return shown


@pytest.mark.parametrize("name", ["400", "reason", "rows"])
def test_on_a_terminal_only_our_own_controls_arrive(tmp_path: Path, name: str) -> None:
    with serving(ANSWERS[name]) as url:
        arguments = ("--seed", 1, "--samples", 2, "--time-limit", "1s", "--api-url", url, "--library", "lib")
        shown = on_a_terminal(tmp_path, "harvest", *arguments)
    readers = (("status",), ("find", "a", "--json"), ("show", 7), ("export", "jsonl"), ("status", "--\x1b]0;owned\x07"))
    # Only an answer with rows leaves something to read.
    for command in readers if name == "rows" else readers[-1:]:
        shown += on_a_terminal(tmp_path, *command, "--library", "lib")
    assert b"harvester" in shown
    assert_harmless(OURS.sub(b"", shown).decode())
