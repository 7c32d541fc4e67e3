"""The kinds of export formats, and the formats of harvester itself.

A format of another package is one of the same two kinds. Its code runs behind a guard: whatever it raises, and a piece
of the wrong type, becomes a `PluginFailed` that names its package.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

from harvester.errors import SettingsError
from harvester.exports.sqlite import encode_sqlite
from harvester.exports.text import encode_csv_edges, encode_csv_sounds, encode_jsonl, encode_node_link
from harvester.exports.xml import encode_gexf, encode_graphml
from harvester.extension_points import FORMATS, PLUGIN_ERRORS, Extension, WrongKind, error_text
from harvester.extras import missing
from harvester.graph import ExportView, Selected, SelectedView
from harvester.json_text import without_lone_surrogates

Syntax: TypeAlias = Literal["json", "xml", "text"]

_SYNTAXES = ("json", "xml", "text")
_CHUNK = 512
_PART = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}|")


@dataclass(frozen=True, kw_only=True)
class TextFormat:
    """An export format that is one text.

    `help`: one line for people. `encode` returns the text in pieces, which are written as UTF-8. Without `-o`, the text
    goes to stdout, where control characters are escaped as the `syntax` allows: `json`, `xml` or `text`.
    """

    help: str
    encode: Callable[[ExportView], Iterable[str]]
    syntax: Syntax = "text"

    def __post_init__(self) -> None:
        """Raise `TypeError` or `ValueError` for an invalid value."""
        _check(self.help, self.encode)
        if self.syntax not in _SYNTAXES:
            raise ValueError(f"syntax must be one of {', '.join(_SYNTAXES)}, got {self.syntax!r:.40}")


@dataclass(frozen=True, kw_only=True)
class FilesFormat:
    """An export format that is one or several files.

    `help`: one line for people. `encode` returns the content of each file in pieces of bytes, or of text, which is
    written as UTF-8. The key of a file is its name: an empty text is OUT itself and must be there; `edges` is
    `sounds.edges.csv` beside `sounds.csv`. Either all files are replaced or none; OUT is replaced last.
    """

    help: str
    encode: Callable[[ExportView], Mapping[str, Iterable[bytes] | Iterable[str]]]

    def __post_init__(self) -> None:
        """Raise `TypeError` or `ValueError` for an invalid value."""
        _check(self.help, self.encode)


Format: TypeAlias = TextFormat | FilesFormat


def load_format(name: str) -> Format:
    """Return the format of this name.

    Raises `SettingsError` for an unknown one, and `PluginFailed` if the package that adds it cannot be used.
    """
    found: Format = FORMATS.load(name, _problem_of)
    return found


def text_pieces(name: str, view: ExportView) -> Iterator[str]:
    """Yield the text of the format `name`, a `TextFormat`.

    Raises `PluginFailed` when the code of another package fails.
    """
    format = load_format(name)
    assert isinstance(format, TextFormat)
    return _guarded(FORMATS.get(name), lambda: format.encode(view), str)


def file_pieces(name: str, view: ExportView) -> dict[str, Iterator[Any]]:
    """Return the pieces of each file of the format `name` by its key.

    OUT has an empty key and is the last. A piece is text or bytes. Raises `PluginFailed` when the code of another
    package fails.
    """
    extension, format = FORMATS.get(name), load_format(name)
    if isinstance(format, TextFormat):
        return {"": text_pieces(name, view)}
    if not extension.package:
        return dict(format.encode(view))  # type: ignore[arg-type]
    try:
        files = dict(format.encode(view))
    except PLUGIN_ERRORS as error:
        raise _failed(extension, error_text(error)) from error
    if "" not in files or not all(isinstance(part, str) and _PART.fullmatch(part) for part in files):
        raise _failed(extension, f"its files are {', '.join(map(ascii, files)) or 'none'}, not '' and names like edges")
    files[""] = files.pop("")
    return {part: _guarded(extension, partial(iter, pieces), (str, bytes)) for part, pieces in files.items()}


def encode_pieces(pieces: Iterable[str | bytes]) -> Iterator[bytes]:
    """Yield texts as UTF-8, hundreds in a chunk, and bytes unchanged."""
    kept: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            kept.append(piece)
            if len(kept) == _CHUNK:
                yield "".join(kept).encode()
                kept = []
        else:
            yield "".join(kept).encode()
            kept = []
            yield piece
    yield "".join(kept).encode()


def _guarded(extension: Extension, start: Callable[[], Iterable[Any]], types: type | tuple[type, ...]) -> Iterator[Any]:
    if not extension.package:
        yield from start()
        return
    try:
        for piece in start():
            if not isinstance(piece, types):
                raise WrongKind(f"it gave a piece of type {type(piece).__name__}")
            # The API's texts may have halves of a surrogate pair, which UTF-8 cannot hold.
            yield without_lone_surrogates(piece) if isinstance(piece, str) else piece
    except PLUGIN_ERRORS as error:
        raise _failed(extension, error_text(error)) from error


def _failed(extension: Extension, why: str) -> Exception:
    return FORMATS.failure(
        extension, f"failed while exporting ({why})", "the export is incomplete, and earlier files are unchanged"
    )


def _problem_of(found: object) -> str:
    if isinstance(found, TextFormat | FilesFormat):
        return ""
    return f"it is of type {type(found).__name__}, not harvester.TextFormat or harvester.FilesFormat"


def _check(help: object, encode: object) -> None:
    if not isinstance(help, str) or not help.strip() or "\n" in help:
        raise ValueError("help must be a text of one line")
    if not callable(encode):
        raise TypeError("encode must be a function of an ExportView")


def _of_selected(encode: Callable[[Selected], Iterator[str]]) -> Callable[[ExportView], Iterator[str]]:
    return lambda view: encode(_selected(view))


def _selected(view: ExportView) -> Selected:
    assert isinstance(view, SelectedView)
    return view.selected


def _csv_files(view: ExportView, *, faithful: bool = False) -> Mapping[str, Iterable[str]]:
    selected = _selected(view)
    return {
        "edges": encode_csv_edges(selected, faithful=faithful),
        "": encode_csv_sounds(selected, faithful=faithful),
    }


def _parquet_files(view: ExportView) -> Mapping[str, Iterable[bytes]]:
    try:
        from harvester.exports.arrow import EDGE_SCHEMA, SoundRows, edge_rows
        from harvester.exports.parquet import encode_parquet
    except ImportError as error:
        raise SettingsError(missing("parquet", "pyarrow", "parquet")) from error
    selected = _selected(view)
    sounds = SoundRows(selected, whole=True)
    return {
        "edges": encode_parquet(EDGE_SCHEMA, edge_rows(selected)),
        "": encode_parquet(sounds.schema, sounds.rows()),
    }


def _sqlite_files(view: ExportView) -> Mapping[str, Iterable[bytes]]:
    return {"": encode_sqlite(_selected(view))}


GRAPHML = TextFormat(help="The graph for Gephi, networkx and yEd", encode=_of_selected(encode_graphml), syntax="xml")
GEXF = TextFormat(help="The graph for Gephi", encode=_of_selected(encode_gexf), syntax="xml")
JSONL = TextFormat(help="A JSON object for each sound", encode=_of_selected(encode_jsonl), syntax="json")
NODE_LINK = TextFormat(
    help="The graph in JSON for networkx and D3", encode=_of_selected(encode_node_link), syntax="json"
)
CSV = FilesFormat(help="Two tables, of sounds and edges, as CSV", encode=_csv_files)
FAITHFUL_CSV = FilesFormat(help=CSV.help, encode=partial(_csv_files, faithful=True))
PARQUET = FilesFormat(help="Two typed tables, of sounds and edges", encode=_parquet_files)
SQLITE = FilesFormat(help="A database of tables with full-text search", encode=_sqlite_files)
