"""Guard rich's console: rich lets ESC, C1 and bidi characters pass.

Owns the consoles: for panels and bars on stderr, for documents on stdout; no other module creates one.
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
"""The most columns of a document: longer lines are hard to read."""


class GuardedConsole(Console):
    """A console that escapes controls in texts, but not rich's own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable with their texts escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escape_paragraph(segment.text))


def stderr_console() -> GuardedConsole:
    """Return a console on stderr without markup and emoji codes."""
    return GuardedConsole(file=raw(sys.stderr), markup=False, emoji=False, highlight=False)


def draw_markdown(text: str) -> None:
    """Print Markdown on stdout, with the addresses of its links."""
    # Imported here, because a panel does not need the Markdown parser.
    from rich.markdown import Markdown

    console = GuardedConsole(file=raw(sys.stdout), markup=False, emoji=False, highlight=False)
    console.print(Markdown(text, hyperlinks=False), width=min(console.width, _WIDEST))


def one_line(text: object, style: str = "") -> Text:
    """Return an escaped text as one line, cut to the available width."""
    return Text(escape_line(text), style=style, no_wrap=True, overflow="ellipsis")
