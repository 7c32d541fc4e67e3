"""`harvester browse` on real sockets: who gets an answer, what is in it, and what becomes of the library's folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from harvester.model import Linked, Seen, SimilarList
from harvester.previews import StoredPreview
from tests.support.browsing import Browsed, browsing
from tests.support.processes import run, sandbox_process, start, wait_until
from tests.support.samples import NOW_US, SOURCE, files_of, grow, make_record, open_store

SOUNDS = 30
EVERY_ANSWER = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "harvester",
    "X-Content-Type-Options": "nosniff",
}
PREVIEW = bytes(range(256)) * 4


def make_shelf(folder: Path) -> None:
    """Write a library of a circle of sounds, with previews of a few."""
    with open_store(folder) as store:
        store.set_source(SOURCE)
        grow(store, [Seen(i, make_record(i), NOW_US) for i in range(1, SOUNDS + 1)])
        lists = {i: ((i % SOUNDS + 1, 0.9), ((i + 4) % SOUNDS + 1, 0.5)) for i in range(1, SOUNDS + 1)}
        grow(store, [Linked(one, SimilarList(pairs, NOW_US + 1, 25)) for one, pairs in lists.items()])
        store.checkpoint(backup=True)


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return the number and the time of change of everything below a folder, links and folders too."""
    return {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in (folder, *folder.rglob("*"))}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Browsed]]:
    """Serve a library that nothing writes; at the end its folder must be as it was."""
    cwd = tmp_path_factory.mktemp("browse")
    folder = cwd / "shelf"
    make_shelf(folder)
    previews = folder / "previews"
    previews.mkdir()
    rows = [
        StoredPreview(one, "ogg", "lq", len(PREVIEW), "0" * 64, "https://cdn.example/1.ogg", "", NOW_US)
        for one in (1, 2, 3, 4, 4711)
    ]
    (previews / "manifest.jsonl").write_bytes(b"".join(row.line() for row in rows))
    for row in rows:
        (previews / row.file).write_bytes(PREVIEW)
    (previews / "6.ogg").write_bytes(b"not in the manifest")
    (cwd / "state").mkdir()
    with browsing(cwd, "--library", "shelf") as browsed:
        # Another program puts something else in the place of three of them.
        for row in rows[1:4]:
            (previews / row.file).unlink()
        (previews / "2.ogg").symlink_to(folder / "freesound_library.pkl")
        (previews / "3.ogg").mkdir()
        os.mkfifo(previews / "4.ogg")
        before = files_of(cwd), _stamps(folder)
        yield cwd, browsed
        assert browsed.errors() == ""
    assert (files_of(cwd), _stamps(folder)) == before


def test_the_page_has_a_policy_and_headers_that_keep_it_apart(served: tuple[Path, Browsed]) -> None:
    page = served[1].get()
    assert page.status == 200
    assert page.headers.get_content_type() == "text/html"
    assert EVERY_ANSWER.items() <= dict(page.headers).items()
    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for name in ("script-src", "style-src"):
        assert policy[name].startswith("'sha256-")
        assert " " not in policy[name]
    # The page itself says the same, apart from what only a header can say.
    own = page.headers["Content-Security-Policy"].removesuffix("; frame-ancestors 'none'")
    assert f'content="{own}"'.encode() in page.body
    assert page.body.count(b'"sound 7"') == 1
    # The page plays what is here from here.
    data = served[1].changes()["data"]
    local = dict(zip(data["sounds"]["ids"], data["sounds"]["local"], strict=True))
    assert (data["head"]["previews"], [one for one, ending in local.items() if ending]) == ("./previews/", [1, 2, 3, 4])
    head = served[1].get(method="HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(page.body)))


def test_what_lacks_the_token_or_our_host_gets_a_bare_404(served: tuple[Path, Browsed]) -> None:
    browsed = served[1]
    token = browsed.path.strip("/")
    other = ("A" if token[0] != "A" else "B") + token[1:]
    targets = [
        "/", "", "//", f"/{other}/", f"/{token[:-1]}/", f"/{token}x/", f"//{token}/", f"/./{token}/", f"/x/../{token}/",
        f"/%{ord(token[0]):02x}{token[1:]}/", f"http://127.0.0.1:{browsed.port}/{token}/", "/favicon.ico",
    ]  # fmt: skip
    below = [
        "previews", "previews/", "previews/../../shelf/previews/1.ogg", "previews/..%2f..%2ffreesound_library.pkl",
        "previews/%2e%2e/freesound_library.pkl", "..", "../", "%2e%2e/", "freesound_library.pkl", "status.json", "?x=1",
        "previews/%31.ogg", "previews\\1.ogg", "previews/1.ogg%00", "changes", "changes?after=x",
        "previews/2.ogg", "previews/3.ogg", "previews/4.ogg", "previews/5.ogg", "previews/6.ogg", "previews/1.mp3",
        "previews/4711.ogg",
    ]  # fmt: skip
    asked = [browsed.get(one if one else "*") for one in targets if one] + [browsed.get(one) for one in below]
    hosts = ["", "evil.example", f"evil.example:{browsed.port}", "127.0.0.1", f"127.0.0.1:{browsed.port + 1}"]
    asked += [browsed.get(host=host) for host in hosts]
    asked += [browsed.get(f"/{other}/", method=method) for method in ("POST", "PUT", "DELETE", "OPTIONS", "PROPFIND")]
    assert [(answer.status, answer.body) for answer in asked] == [(404, b"")] * len(asked)
    for answer in asked:
        assert EVERY_ANSWER.items() <= dict(answer.headers).items()
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert browsed.get(host=f"localhost:{browsed.port}").status == 200
    assert browsed.get(f"/{token}").headers["Location"] == f"/{token}/"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_only_reading_is_allowed(served: tuple[Path, Browsed], method: str) -> None:
    for target in ("", "changes?after=0", "previews/1.ogg"):
        answer = served[1].get(target, method=method)
        assert (answer.status, answer.headers["Allow"], answer.body) == (405, "GET, HEAD", b"")


def test_it_listens_on_one_loopback_address_alone(served: tuple[Path, Browsed]) -> None:
    for address in ("127.0.0.2", "::1", socket.gethostname()):
        try:
            found = socket.getaddrinfo(address, served[1].port, type=socket.SOCK_STREAM)
        except OSError:
            continue
        for family, kind, protocol, _, place in found:
            if place[0] != "127.0.0.1":
                with socket.socket(family, kind, protocol) as knocking:
                    assert knocking.connect_ex(place) != 0, place


def test_a_preview_is_played_from_any_place(served: tuple[Path, Browsed]) -> None:
    browsed = served[1]
    whole = browsed.get("previews/1.ogg")
    assert (whole.status, whole.body, whole.headers["Content-Type"]) == (200, PREVIEW, "audio/ogg")
    size = len(PREVIEW)
    for text, first, last in (("0-", 0, size), ("10-19", 10, 20), ("1000-", 1000, size), ("-4", size - 4, size)):
        part = browsed.get("previews/1.ogg", Range=f"bytes={text}")
        assert part.body == PREVIEW[first:last]
        if (first, last) != (0, size):
            assert (part.status, part.headers["Content-Range"]) == (206, f"bytes {first}-{last - 1}/{size}")
    beyond = browsed.get("previews/1.ogg", Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    for odd in ("lines=1-2", "bytes=1-2,4-5", "bytes=x", "bytes=9-1"):
        assert browsed.get("previews/1.ogg", Range=odd).body == PREVIEW


def test_readers_at_once_and_one_that_never_reads_get_theirs(served: tuple[Path, Browsed]) -> None:
    browsed = served[1]
    with (
        socket.create_connection(("127.0.0.1", browsed.port)) as slow,
        socket.create_connection(("127.0.0.1", browsed.port)) as silent,
    ):
        silent.sendall(b"GET /")
        for _ in range(50):
            slow.sendall(f"GET {browsed.path} HTTP/1.1\r\nHost: 127.0.0.1:{browsed.port}\r\n\r\n".encode())
        with ThreadPoolExecutor(8) as readers:
            pages = list(readers.map(lambda _: browsed.get().body, range(16)))
    assert set(pages) == {browsed.get().body}


MALFORMED = (
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /{path} HTTP/1.1\r\nHost: {host}\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET /{path} HTTP/1.1\r\nHost: evil.example\r\nHost: {host}\r\n\r\n",
    b"GET /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /{path} HTTP/1.1\r\nHost: {host}\r\nX: \x1b[31m\0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01" + bytes(500),
)


def test_what_is_no_http_is_refused_without_a_word_on_the_terminal(served: tuple[Path, Browsed]) -> None:
    browsed = served[1]
    host = f"127.0.0.1:{browsed.port}".encode()
    for request in MALFORMED:
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", browsed.port), timeout=10) as sending:
            sending.sendall(request.replace(b"/{path}", browsed.path.encode()).replace(b"{host}", host))
            assert sending.recv(100).startswith(b"HTTP/1.0 400 Bad Request"), request[:50]
    gzipped = browsed.get(**{"Content-Encoding": "gzip", "Content-Length": "0"})
    assert gzipped.status == 200
    assert browsed.errors() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_within_a_second_also_beside_an_open_page(tmp_path: Path, number: signal.Signals) -> None:
    make_shelf(tmp_path / "shelf")
    with browsing(tmp_path, "--library", "shelf", end=number) as browsed:
        idle = socket.create_connection(("127.0.0.1", browsed.port))
    idle.close()


def test_what_a_running_harvest_brings_comes_and_a_library_that_vanishes_is_told(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 300, "--latency-ms", 20) as sandbox:
        work = ("harvest", "--api-url", sandbox.url, "--level", 99, "--library", "lib", "--samples")
        assert run(*work, 1, cwd=tmp_path).code == 0
        with browsing(tmp_path, "--library", "lib") as browsed:
            first = browsed.changes()
            ids = first["data"]["sounds"]["ids"]
            with start(*work, 40, cwd=tmp_path) as harvest:
                wait_until(lambda: browsed.changes(first["version"])["data"], what="a version beside the harvest")
                assert harvest.communicate(timeout=30)
                assert harvest.returncode == 0
            status = json.loads(run("status", "--library", "lib", "--json", cwd=tmp_path).out)
            known = status["nodes"]
            wait_until(lambda: browsed.changes()["data"]["head"]["sounds"] == known, what="the last sounds")
            last = browsed.changes()
            assert last["data"]["sounds"]["ids"][: len(ids)] == ids
            assert last["problem"] == ""
            (tmp_path / "lib").rename(tmp_path / "away")
            wait_until(lambda: browsed.changes()["problem"], what="a line about the lost library")
            gone = browsed.changes()
            assert gone["problem"].startswith("lib: there is no library here (no such folder)")
            assert gone["data"]["sounds"]["ids"] == last["data"]["sounds"]["ids"]
            (tmp_path / "away").rename(tmp_path / "lib")
            wait_until(lambda: not browsed.changes()["problem"], what="the library again")
            (tmp_path / "lib" / "freesound_library.pkl").write_bytes(b"rubbish")
            for path in (tmp_path / "lib").glob("*_backup_*"):
                path.unlink()
            shutil.rmtree(tmp_path / "lib" / "freesound_library.journal", ignore_errors=True)
            wait_until(lambda: browsed.changes()["problem"], what="a line about the corrupt library")
            assert browsed.get().status == 200
            told = browsed.errors().splitlines()
    assert len(told) == len(set(told)) == 3
    assert told[0].endswith("`harvester harvest` makes one; the page shows what was read before")
    assert told[1] == "lib: the library can be read again"


def test_what_cannot_be_served_is_one_line(tmp_path: Path) -> None:
    make_shelf(tmp_path / "shelf")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = {
            code: run("browse", *arguments, cwd=tmp_path)
            for code, arguments in {
                28: ("--library", "nowhere"),
                2: ("--library", "shelf", "--port", port),
            }.items()
        }
    assert {code: one.code for code, one in ended.items()} == {28: 28, 2: 2}
    assert ended[2].err.splitlines() == [
        f"harvester: --port: the page cannot be served on 127.0.0.1:{port}: Address already in use"
    ]
    assert ended[28].err.startswith("harvester: nowhere: there is no library here")
    assert run("browse", "--library", "shelf", "--ego", 99, cwd=tmp_path).err.count("\n") == 1
