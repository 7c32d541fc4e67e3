"""What the options of `browse` are for: which part of which library is served, at which port, under which heading."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.options.export_cases import KINDS, LISTED, SELECTED, kinds_of
from tests.integration.options.place import OFF, Place, variable_of
from tests.integration.options.table import proves
from tests.support.browsing import Browsed, browsing
from tests.support.command import call
from tests.support.processes import environment, wait_until


@contextmanager
def _serving(place: Place, *arguments: object, given: Any = None, **environ: str) -> Iterator[Browsed]:
    """Serve with the case's option set to `given`."""
    known, line = environment(place.folder / "state") | environ, list(arguments)
    if given is not None and place.source == "environment":
        known[variable_of("browse", place.option)] = str(given)
    elif given is not None and place.source == "file":
        setting = f"{place.option[2:]} = {json.dumps(given)}"
        (place.folder / "harvester.toml").write_text(f"[browse]\n{setting}\n", encoding="utf-8")
    elif given is not None:
        for one in given if isinstance(given, list) else [given]:
            line += [place.option] if one is True else [place.option, one]
    with browsing(place.folder, *line, environ=known) as browsed:
        yield browsed


def _shown(place: Place, *arguments: object, given: Any = None) -> dict[str, Any]:
    with _serving(place, *arguments, given=given) as browsed:
        data: dict[str, Any] = browsed.changes()["data"]
        return data


def _ids(place: Place, *arguments: object, given: Any = None) -> list[int]:
    ids: list[int] = _shown(place, "--library", "shelf", *arguments, given=given)["sounds"]["ids"]
    return ids


@proves("browse", *SELECTED)
def _only_these_sounds_are_served(place: Place) -> None:
    value, expected = SELECTED[place.option]
    (place.folder / "listed.csv").write_text(LISTED)
    assert _ids(place, given=value) == expected


@proves("browse", "--column")
def _the_sounds_of_this_column_are_served(place: Place) -> None:
    (place.folder / "listed.csv").write_text(LISTED)
    assert _ids(place, "--ids", "listed.csv", given="fname") == [3, 4, 5]


@proves("browse", "--min-score")
def _only_these_edges_are_served(place: Place) -> None:
    assert _shown(place, "--library", "shelf", given=0.6)["head"]["counts"] == "10 sounds, 7 similarity edges"


@proves("browse", "--edges")
def _only_edges_of_these_kinds_are_served(place: Place) -> None:
    assert call("relate", "--by", "user", "--library", "shelf", cwd=place.folder).code == 0
    counts = [_shown(place, "--library", "shelf", given=kind)["head"]["counts"] for kind in KINDS]
    assert [int(told.split(", ")[1].split()[0]) for told in counts] == kinds_of(place)


@proves("browse", "--community")
def _only_this_community_is_served(place: Place) -> None:
    assert call("analyse", "--library", "shelf", cwd=place.folder).code == 0
    assert set(_ids(place, given=1)) < set(range(1, 11))


@proves("browse", "--library")
def _this_library_is_served(place: Place) -> None:
    data = _shown(place, given="shelf")
    assert (data["head"]["title"], len(data["sounds"]["ids"])) == ("shelf", 10)


@proves("browse", "--ego")
def _only_the_neighbourhood_of_a_sound_is_served(place: Place) -> None:
    assert _ids(place, given=7) == [7, 8]


@proves("browse", "--depth")
def _the_neighbourhood_that_is_served_is_so_deep(place: Place) -> None:
    assert _ids(place, "--ego", 1, "--min-score", 0.6, given=1) == [1, 2, 6]


@proves("browse", "--context")
def _the_sounds_around_are_served_too(place: Place) -> None:
    assert len(_shown(place, "--library", "shelf", "--max-duration", "0.2s", given=True)["sounds"]["context"]) == 4


@proves("browse", "--title")
def _the_heading_of_the_page_is_this(place: Place) -> None:
    assert _shown(place, "--library", "shelf", given="Rain & tents")["head"]["title"] == "Rain & tents"


@proves("browse", "--port")
def _it_is_served_there(place: Place) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _serving(place, "--library", "shelf", given=port) as browsed:
        assert browsed.port == port


@proves("browse", "--open", "--no-open")
def _the_browser_of_the_user_gets_the_address(place: Place) -> None:
    opened, program = place.folder / "opened", place.folder / "a-browser"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" >{opened}\n')
    program.chmod(0o700)
    with _serving(place, "--library", "shelf", given=True, BROWSER=f"{program} %s") as browsed:
        if place.option in OFF:
            assert browsed.get().status == 200
        else:
            wait_until(lambda: opened.exists() and opened.read_text() == browsed.address, what="the opened page")
    assert opened.exists() != (place.option in OFF)
