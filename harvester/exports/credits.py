"""Credits of the selected sounds, and what their licenses require.

Invariant: every selected sound with a record is credited once, with title, author, address, license and its link, and
the day its record was fetched. Non-commercial and sampling licenses are marked, and the authors' wishes about
generative AI are listed. Titles and names are untrusted: they are escaped for the format, control and bidi characters
are removed, and only http(s) addresses become links.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from sys import intern

from harvester.counts import counted
from harvester.exports.csv_text import csv_line, disarmed
from harvester.graph import Selected, Sound
from harvester.library_source import is_made_up
from harvester.records import LICENSE_DUTIES, LICENSE_MARKS
from harvester.terminal_text import drop_controls, escape


@dataclass(frozen=True, slots=True)
class Credit:
    """The credit of one sound."""

    sound_id: int
    title: str
    author: str
    url: str
    license: str
    license_url: str
    fetched: str
    gen_ai: str

    @property
    def family(self) -> str:
        """The license without its version."""
        return self.license.split(" ")[0]

    @property
    def fetched_text(self) -> str:
        """The day on which the record was fetched, as a phrase."""
        return f"fetched {self.fetched}" if self.fetched else "fetched at an unknown time"

    @property
    def mark(self) -> str:
        """`NON-COMMERCIAL`, `SAMPLING+` or nothing."""
        return LICENSE_MARKS.get(self.family, "")


def list_credits(selected: Selected) -> list[Credit]:
    """Return the credits, sorted by license, author, title and id.

    Sounds without a record are left out.
    """
    return credits_of(selected.sounds())


def credits_of(sounds: Iterable[Sound]) -> list[Credit]:
    """Return the credits of sounds, as `list_credits` does of a selection."""
    credits = [_credit(sound) for sound in sounds if sound.has_record]
    return sorted(credits, key=lambda one: (one.license, one.author.casefold(), one.title.casefold(), one.sound_id))


def encode_credits(credits: list[Credit], format: str, *, faithful: bool = False) -> Iterator[str]:
    """Yield the credits as `md`, `txt`, `csv` or `html`.

    `faithful`: texts in CSV that a spreadsheet would run as formulas stay unchanged.
    """
    return _csv(credits, faithful=faithful) if format == "csv" else CREDIT_FORMATS[format](credits)


def _credit(sound: Sound) -> Credit:
    # All credits are in memory to be sorted, so texts that recur are one object each.
    return Credit(
        sound_id=sound.id,
        title=one_line(sound.name) or f"sound {sound.id}",
        author=intern(one_line(sound.username)) or "unknown author",
        url=web_address(sound.url) or f"https://freesound.org/s/{sound.id}/",
        license=intern(one_line(sound.license_name)),
        license_url=intern(web_address(sound.license)),
        fetched=intern(str(sound.fetched_at)[:10]) if sound.fetched_at else "",
        gen_ai=intern(sound.gen_ai_wish),
    )


def one_line(value: str | None) -> str:
    """Return a text on one line, without control and bidi characters."""
    return " ".join(drop_controls(value or "").split())


def web_address(value: str | None) -> str:
    """Return a web address that needs no escaping, else an empty text."""
    address = value or ""
    return address if re.fullmatch(r"https?://[^\s\"'<>\\()`]+", address) and escape(address) == address else ""


def _groups(credits: list[Credit]) -> list[tuple[str, list[Credit]]]:
    groups: dict[str, list[Credit]] = {}
    for credit in credits:
        groups.setdefault(credit.license, []).append(credit)
    return list(groups.items())


def _summary(credits: list[Credit]) -> str:
    if not credits:
        return "No sounds."
    days = sorted({credit.fetched for credit in credits} - {""}) or ["at an unknown time"]
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    authors = len({credit.author for credit in credits})
    source = "a sandbox, which made them up," if all(is_made_up({"url": one.url}) for one in credits) else "Freesound"
    return f"{counted(len(credits), 'sound')} by {counted(authors, 'author')}; metadata fetched from {source} {when}."


def _wishes(credits: list[Credit]) -> list[tuple[str, int]]:
    return sorted(Counter(credit.gen_ai for credit in credits).items())


def _markdown(credits: list[Credit]) -> Iterator[str]:
    yield f"# Credits\n\n{_summary(credits)}\n"
    for license, group in _groups(credits):
        yield f"\n## {markdown_text(license)}{_marked(group[0])}\n\n{_asks(group[0])}\n\n"
        for one in group:
            deed = f"[{markdown_text(license)}]({one.license_url})" if one.license_url else markdown_text(license)
            yield (
                f"- [{markdown_text(one.title)}]({one.url}) by {markdown_text(one.author)}, {deed}, "
                f"{one.fetched_text}; gen-AI: {one.gen_ai}{_marked(one)}\n"
            )
    yield "\n## Wishes about generative AI\n\n"
    for wish, count in _wishes(credits):
        yield f"- {wish}: {count}\n"


def _text(credits: list[Credit]) -> Iterator[str]:
    yield f"CREDITS\n\n{_summary(credits)}\n"
    for license, group in _groups(credits):
        yield f"\n{license}{_marked(group[0])}\n{group[0].license_url}\n{_asks(group[0])}\n\n"
        for one in group:
            yield f'"{one.title}" by {one.author}{_marked(one)}\n    {one.url}\n'
            yield f"    license {license} {one.license_url}, {one.fetched_text}, gen-AI: {one.gen_ai}\n"
    yield "\nWishes about generative AI\n"
    for wish, count in _wishes(credits):
        yield f"    {wish}: {count}\n"


def _csv(credits: list[Credit], *, faithful: bool = False) -> Iterator[str]:
    yield csv_line(["id", "title", "author", "url", "license", "license_url", "mark", "fetched", "gen_ai_preference"])
    for one in credits:
        texts = (one.title, one.author, one.url, one.license, one.license_url, one.mark, one.fetched, one.gen_ai)
        yield csv_line([str(one.sound_id), *(texts if faithful else map(disarmed, texts))])


def _html(credits: list[Credit]) -> Iterator[str]:
    yield _HTML_HEAD.format(summary=html.escape(_summary(credits)))
    for license, group in _groups(credits):
        deed = _link(group[0].license_url, license)
        yield f"<h2>{deed}{_html_mark(group[0])}</h2>\n<p>{html.escape(_asks(group[0]))}</p>\n<ul>\n"
        for one in group:
            yield (
                f"<li>{_link(one.url, one.title)} by <bdi>{html.escape(one.author)}</bdi>, "
                f"{_link(one.license_url, one.license)}, {one.fetched_text}; "
                f"gen-AI: {one.gen_ai}{_html_mark(one)}</li>\n"
            )
        yield "</ul>\n"
    yield "<h2>Wishes about generative AI</h2>\n<ul>\n"
    for wish, count in _wishes(credits):
        yield f"<li>{wish}: {count}</li>\n"
    yield "</ul>\n</html>\n"


CREDIT_FORMATS: dict[str, Callable[[list[Credit]], Iterator[str]]] = {
    "md": _markdown,
    "txt": _text,
    "csv": _csv,
    "html": _html,
}

_HTML_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Credits</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
strong {{ font-size: .8em; border: 1px solid; border-radius: .3em; padding: 0 .4em; margin-left: .5em; }}
</style>
<h1>Credits</h1>
<p>{summary}</p>
"""


def _asks(credit: Credit) -> str:
    return (
        f"Asks for: {LICENSE_DUTIES[credit.family]}."
        if credit.family in LICENSE_DUTIES
        else "Read the license before use."
    )


def _marked(credit: Credit) -> str:
    return f" [{credit.mark}]" if credit.mark else ""


def _html_mark(credit: Credit) -> str:
    return f"<strong>{credit.mark}</strong>" if credit.mark else ""


def markdown_text(text: str) -> str:
    """Return a text of one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~&])", r"\\\1", text)


def _link(address: str, text: str) -> str:
    shown = f"<bdi>{html.escape(text)}</bdi>"
    return f'<a href="{html.escape(address)}" rel="noreferrer">{shown}</a>' if address else shown
