"""Every option and argument of every command reaches what it is for, through the real command line.

The cases are in the modules `*_cases.py` beside this one; `table.py` says how to add one.
"""

from __future__ import annotations

import pytest

from tests.integration.options.place import Place
from tests.integration.options.table import declared, judge, load_cases

TABLE, KNOWN = load_cases(), declared()


@pytest.mark.parametrize(("command", "option"), sorted(TABLE.keys() & KNOWN.keys()))
def test_it_does_what_it_is_for(command: str, option: str, place: Place) -> None:
    place.command, place.option = command, option
    TABLE[command, option](place)


def test_each_option_has_a_case_and_each_case_an_option() -> None:
    assert judge(TABLE, KNOWN) == []


def test_an_option_that_is_new_or_gone_would_be_named() -> None:
    new = ("harvest", "--new-option")
    [told] = judge(TABLE, KNOWN | {new: None})
    assert told.startswith("`harvester harvest --new-option` has no case: ")
    assert "options/*_cases.py" in told
    [told] = judge(TABLE, {key: one for key, one in KNOWN.items() if key != ("harvest", "--order")})
    assert told.startswith("`harvester harvest --order` does not exist: remove it from @proves above ")
