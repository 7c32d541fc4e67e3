"""What the options of `sandbox` are for: what it serves, to whom, how fast and how badly."""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Any

from tests.integration.options.place import Place, variable_of
from tests.integration.options.table import proves
from tests.support.fork_server import Forked
from tests.support.processes import environment


@contextmanager
def _serving(place: Place, *arguments: object, given: Any = None) -> Iterator[str]:
    """Run the sandbox with the case's option set to `given`, and yield its address."""
    environ, line = environment(place.folder / "state"), ["sandbox", *map(str, arguments)]
    if given is not None and place.source == "environment":
        environ[variable_of("sandbox", place.option)] = "1" if given is True else str(given)
    elif given is not None and place.source == "file":
        setting = f"{place.option[2:]} = {json.dumps(given)}"
        (place.folder / "harvester.toml").write_text(f"[sandbox]\n{setting}\n", encoding="utf-8")
    elif given is not None:
        line += [place.option] if given is True else [place.option, str(given)]
    out, into = os.pipe()
    with TemporaryFile() as err:
        process = Forked(line, cwd=place.folder, environment=environ, streams=(into, err))
        os.close(into)
        try:
            with os.fdopen(out, encoding="utf-8") as told:
                yield told.readline().split()[-1]
        finally:
            process.terminate()
            assert process.wait(60) == 0


def _get(address: str, path: str, key: str = "sandbox") -> tuple[int, Any]:
    request = urllib.request.Request(f"{address}{path}", headers={"Authorization": f"Token {key}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None


@proves("sandbox", "--port")
def _it_listens_there(place: Place) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _serving(place, given=port) as address:
        assert address == f"http://127.0.0.1:{port}/apiv2/"


@proves("sandbox", "--token")
def _it_accepts_this_key_only(place: Place) -> None:
    with _serving(place, given="mine") as address:
        assert [_get(address, "search/?page_size=1", key)[0] for key in ("mine", "sandbox")] == [200, 401]


@proves("sandbox", "--sounds")
def _the_catalogue_is_so_large(place: Place) -> None:
    with _serving(place, given=123) as address:
        assert _get(address, "search/?page_size=1")[1]["count"] == 123


@proves("sandbox", "--random-seed")
def _another_seed_gives_another_catalogue(place: Place) -> None:
    answers = []
    for seed in (7, 8):
        with _serving(place, "--sounds", 20, given=seed) as address:
            answers.append(_get(address, "search/?page_size=3&fields=id,name,duration")[1]["results"])
    with _serving(place, "--sounds", 20) as address:
        assert _get(address, "search/?page_size=3&fields=id,name,duration")[1]["results"] == answers[0]
    assert answers[0] != answers[1]


@proves("sandbox", "--catalogue")
def _these_sounds_are_served(place: Place) -> None:
    (place.folder / "some.jsonl").write_text('{"id": 12, "name": "one"}\n', encoding="utf-8")
    with _serving(place, given="some.jsonl") as address:
        assert _get(address, "sounds/12/") == (200, {"id": 12, "name": "one"})


@proves("sandbox", "--burst", "--daily")
def _more_requests_are_refused(place: Place) -> None:
    with _serving(place, "--sounds", 20, given=2) as address:
        assert [_get(address, "search/?page_size=1")[0] for _ in range(3)] == [200, 200, 429]


@proves("sandbox", "--no-throttle")
def _nothing_is_refused(place: Place) -> None:
    with _serving(place, "--sounds", 20, "--burst", 1, "--daily", 1, given=True) as address:
        assert [_get(address, "search/?page_size=1")[0] for _ in range(3)] == [200, 200, 200]


@proves("sandbox", "--deleted-share")
def _some_rows_are_null(place: Place) -> None:
    with _serving(place, "--sounds", 100, given=0.5) as address:
        rows = _get(address, "search/?page_size=100")[1]["results"]
    assert 30 < sum(row is None for row in rows) < 70


@proves("sandbox", "--latency-ms")
def _an_answer_takes_so_long(place: Place) -> None:
    with _serving(place, "--sounds", 20, given=300) as address:
        began_s = time.monotonic()
        _get(address, "search/?page_size=1")
        assert time.monotonic() - began_s >= 0.3


@proves("sandbox", "--fault")
def _this_fault_is_injected(place: Place) -> None:
    with _serving(place, "--sounds", 20, given="500@every=2") as address:
        assert [_get(address, "search/?page_size=1")[0] for _ in range(4)].count(500) == 2


@proves("sandbox", "--access-log")
def _each_request_is_logged_without_the_key(place: Place) -> None:
    with _serving(place, "--sounds", 20, given="log.jsonl") as address:
        _get(address, "search/?page_size=1")
    [row] = (place.folder / "log.jsonl").read_text().splitlines()
    assert json.loads(row)["path"] == "/apiv2/search/?page_size=1"
    assert "sandbox" not in row
