"""Find variables `HARVESTER_…` that set nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harvester.cli.parameters import PREFIX, walk
from harvester.cli.refusals import nearest
from harvester.key_file import KEY_VARIABLE

WITHOUT_OPTION = ("HARVESTER_CONTACT", "HARVESTER_INDEX", "HARVESTER_STATE")


def find_misspelt(environment: Mapping[str, str], command: Any) -> list[str]:
    """Return a line for each variable `HARVESTER_…` that sets nothing.

    `command` is the root of the tree of commands. A line never shows the value of a variable.
    """
    given = [name for name, value in sorted(environment.items()) if name.startswith(f"{PREFIX}_") and value]
    known: set[str] = set(WITHOUT_OPTION)
    if given:
        known |= {name for _, one in walk(command) for parameter in one.params for name in parameter.envvar or ()}
    return [
        f"{name}: this variable sets nothing{_hint(name, known)} (see `harvester guide settings`)"
        for name in given
        if name not in known
    ]


def _hint(name: str, known: set[str]) -> str:
    if name.endswith(("_KEY", "_TOKEN")):
        return f"; did you mean {KEY_VARIABLE}?"
    # Without the prefix, which makes all of them alike.
    hint = nearest(name.removeprefix(f"{PREFIX}_"), sorted(one.removeprefix(f"{PREFIX}_") for one in known))
    return hint.replace("did you mean ", f"did you mean {PREFIX}_")
