"""`harvester guide`: show the topics of the guide in the terminal.

Owns the changes to a topic for the terminal: its links and pictures are written for a forge.
"""

from __future__ import annotations

import posixpath
import re
from typing import Annotated

import typer

from harvester.cli.console import print_lines, print_markdown, say
from harvester.errors import SettingsError

_FOLDER = "harvester/guide"
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)\n*")
_ADDRESS = re.compile(r"<(https?:[^>]+)>")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)]+)\)")


def guide(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            autocompletion=lambda incomplete: [name for name in _names() if name.startswith(incomplete)],
            help="The topic to show.",
            show_default="the list",
        ),
    ] = None,
) -> None:
    """Show a topic of the guide, or list the topics."""
    from harvester import actions

    topics = actions.guide_topics()
    if topic is None:
        width = max(map(len, topics))
        print_lines(*(f"{name:<{width}}  {_summary(text)}" for name, text in topics.items()))
        say("`harvester guide TOPIC` shows one of them")
        return
    text = topics.get(topic.lower())
    if text is None:
        raise SettingsError(_unknown(topic, list(topics)))
    print_markdown(for_terminal(text))


def for_terminal(text: str) -> str:
    """Return a topic without pictures, with its linked topics at the end."""
    linked: dict[str, None] = {}

    def told(link: re.Match[str]) -> str:
        name, target = link[1], posixpath.normpath(posixpath.join(_FOLDER, link[2]))
        folder, file = posixpath.split(target)
        if folder == _FOLDER:
            linked[file.removesuffix(".md")] = None
            return f"*{name}*"
        return f"{name} (`{target}`)"

    shown = _ADDRESS.sub(r"\1", _LINK.sub(told, _PICTURE.sub("", text)))
    return f"{shown}\nSee also `harvester guide TOPIC` for: {', '.join(linked)}.\n" if linked else shown


def _names() -> list[str]:
    from harvester import actions

    return list(actions.guide_topics())


def _summary(text: str) -> str:
    """Return the first sentence below the heading."""
    return text.split("\n", 3)[2]


def _unknown(topic: str, names: list[str]) -> str:
    # Imported only for an unknown name, so that the command line starts faster.
    from difflib import get_close_matches

    near = get_close_matches(topic.lower(), names, cutoff=0.4)
    hint = f"the nearest: {', '.join(near)}; " if near else ""
    return f"'{topic[:40]}' is not a topic of the guide; {hint}`harvester guide` lists them all"
