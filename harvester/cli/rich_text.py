"""Rich, which passes ESC, C1 and bidi characters as they are, with our guard before the terminal.

Owns the consoles: for panels and bars on stderr, for documents on stdout. The only place that makes one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from harvester.cli.terminal import raw
from harvester.terminal_text import escape_line, escape_paragraph

_WIDEST = 100
"""Columns of a document: longer lines are hard to read."""


class GuardedConsole(Console):
    """A console that spells out what a text would have the terminal do; rich's own controls pass."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Give the segments of a renderable, their texts escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escape_paragraph(segment.text))


def stderr_console() -> GuardedConsole:
    """Return a console on stderr that takes every text literally: no markup, no emoji codes."""
    return GuardedConsole(file=raw(sys.stderr), markup=False, emoji=False, highlight=False)


def draw_markdown(text: str) -> None:
    """Lay out Markdown on stdout; addresses of links are shown, for not every terminal follows them."""
    # Here, because only documents need it: a panel must not pay for the Markdown parser.
    from rich.markdown import Markdown

    console = GuardedConsole(file=raw(sys.stdout), markup=False, emoji=False, highlight=False)
    console.print(Markdown(text, hyperlinks=False), width=min(console.width, _WIDEST))


def one_line(text: object, style: str = "") -> Text:
    """Return a text as one line that is cut where there is no room; escaped before it is measured."""
    return Text(escape_line(text), style=style, no_wrap=True, overflow="ellipsis")
