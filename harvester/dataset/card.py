"""Write `README.md`, the card: front matter for the hub, then prose.

Texts of users (titles of categories, tags, values of a selection) are untrusted: they are escaped for Markdown, and
quoted in the front matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from harvester.counts import counted
from harvester.dataset.columns import EDGE_COLUMNS, describe
from harvester.dataset.facts import DatasetFacts
from harvester.dataset.layout import EDGES_CONFIG, data_path, edges_path, type_name
from harvester.exports import Column, is_time, markdown_text, one_line
from harvester.records import LICENSE_DUTIES, UNKNOWN_WISH
from harvester.version import __version__

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST_SIZE = "1M<n<10M"
_DTYPES = {"bool": "bool", "int": "int64", "float": "float64", "text": "string"}


def encode_card(facts: DatasetFacts) -> bytes:
    """Return the bytes of the card."""
    return "".join((*_front_matter(facts), *_body(facts))).encode()


def citation(facts: DatasetFacts) -> str:
    """Return how to cite the dataset, as BibTeX."""
    year = f"  year = {{{facts.day[:4]}}},\n" if facts.day else ""
    key = facts.rows_sha256["sounds"][:8]
    title = "".join(one for one in facts.title if one not in "{}\\")
    return (
        f"@misc{{freesound_{key},\n"
        f"  title = {{{title}}},\n"
        "  author = {{The uploaders named in CREDITS.md}},\n"
        f"{year}"
        f"  note = {{Metadata of {counted(facts.sounds, 'sound')}, made with harvester {__version__}; rows {key}}},\n"
        "  howpublished = {https://freesound.org/}\n"
        "}"
    )


def _front_matter(facts: DatasetFacts) -> Iterator[str]:
    hub = sorted({license.hub for license in facts.licenses})
    yield f"---\npretty_name: {_quoted(facts.title)}\n"
    yield _yaml_list("license", hub)
    if "other" in hub:
        others = [license for license in facts.licenses if license.hub == "other"]
        yield f"license_name: {_quoted(' and '.join(sorted({license.name.casefold() for license in others})))}\n"
        yield f"license_link: {_quoted(others[0].address)}\n"
    yield _yaml_list("task_categories", ["audio-classification"])
    yield _yaml_list("tags", ["freesound", "metadata", "sound", *(["similarity"] if facts.edges else [])])
    yield f"size_categories:\n- {next((name for most, name in _SIZES if facts.sounds < most), _LARGEST_SIZE)}\n"
    yield "configs:\n- config_name: sounds\n  default: true\n  data_files:\n"
    for part, count in facts.parts.items():
        if count:
            yield f"  - split: {part}\n    path: {data_path(part, facts.table)}\n"
    if facts.edges:
        yield f"- config_name: {EDGES_CONFIG}\n  data_files:\n"
        yield f"  - split: {EDGES_CONFIG}\n    path: {edges_path(facts.table)}\n"
    # Without the types, a part in which a column is empty would get another type than the rest.
    yield "dataset_info:\n- config_name: sounds\n  features:\n"
    yield from (_feature(column, facts.table) for column in facts.columns)
    if facts.edges:
        yield f"- config_name: {EDGES_CONFIG}\n  features:\n"
        yield from (_feature(column, facts.table) for column in EDGE_COLUMNS)
    yield "---\n\n"


def _feature(column: Column, table: str) -> str:
    name = f"  - name: {_quoted(column.name)}\n"
    if table == "csv" and (is_time(column) or column.kind == "texts"):
        return f"{name}    dtype: string\n"
    if column.kind == "texts":
        return f"{name}    sequence: string\n"
    return f"{name}    dtype: {'timestamp[us, tz=UTC]' if is_time(column) else _DTYPES[column.kind]}\n"


def _body(facts: DatasetFacts) -> Iterator[str]:
    yield f"# {_shown(facts.title)}\n\n"
    where = (
        "a sandbox of harvester: the sounds are made up" if facts.is_made_up else "[Freesound](https://freesound.org/)"
    )
    pages = ": `url` is the page of a sound" if "url" in facts.columns_by_name else ""
    yield (
        f"Metadata of {counted(facts.sounds, 'sound')} by {counted(facts.accounts, 'author')}, from {where}. "
        f"The audio is not part of it{pages}.\n"
    )
    yield from _contents(facts)
    yield from _licenses(facts)
    yield from _wishes(facts)
    yield from _making(facts)
    yield from _split(facts)
    yield from _fields(facts)
    yield from _loading(facts)
    yield "\n## Citation\n\nCite the dataset, the authors of the sounds that you use, and Freesound:\n\n"
    yield f"```bibtex\n{citation(facts)}\n\n{_FREESOUND}\n```\n"


def _contents(facts: DatasetFacts) -> Iterator[str]:
    yield "\n| file | what it holds |\n| --- | --- |\n"
    for part, count in facts.parts.items():
        if count:
            yield f"| `{data_path(part, facts.table)}` | {counted(count, 'sound')} |\n"
    if facts.edges:
        kinds = ", ".join(f"{count:,} {_shown(kind)}" for kind, count in facts.kinds.items())
        yield f"| `{edges_path(facts.table)}` | {counted(facts.edges, 'edge')} between sounds: {kinds} |\n"
    yield "| `CREDITS.md` | title, author, address and license of each sound |\n"
    yield "| `splits.json` | the part of each author and sound |\n"
    yield "| `croissant.json` | a description for programs ([Croissant](https://mlcommons.org/croissant/) 1.1) |\n"
    yield "| `manifest.json` | selection, counts, versions, and the SHA-256 of each file |\n"
    if facts.categories:
        yield f"\nCategories: {_frequencies(facts.categories)}.\n"
    if facts.tags:
        yield f"\nMost frequent tags: {_frequencies(facts.tags)}.\n"


def _licenses(facts: DatasetFacts) -> Iterator[str]:
    yield "\n## Licenses\n\nEach sound keeps its own license, in the columns `license` and `license_spdx`. "
    yield "A collection does not change it, and version 3.0 does not become 4.0.\n\n"
    yield "| license | SPDX | sounds | asks for |\n| --- | --- | ---: | --- |\n"
    for one in facts.licenses:
        name = _shown(one.name)
        link = f"[{name}]({one.address})" if one.address else name
        asks = LICENSE_DUTIES.get(one.name.split(" ")[0], "read the license before use")
        yield f"| {link} | {f'`{one.spdx}`' if one.spdx else 'unknown'} | {one.sounds:,} | {asks} |\n"
    families = {license.name.split(" ")[0] for license in facts.licenses}
    if "BY-NC" in families:
        yield "\nSome sounds are licensed for non-commercial use only: you cannot use the whole commercially.\n"
    if "Sampling+" in families:
        yield "\nSampling+ allows whole copies for non-commercial use only, and no use in advertising.\n"
    if not facts.is_made_up:
        yield (
            "\nThe [terms of Freesound's API](https://freesound.org/help/tos_api/) count metadata as content: ask "
            "Freesound before you publish large parts.\n"
        )


def _wishes(facts: DatasetFacts) -> Iterator[str]:
    yield "\n## Wishes about generative AI\n\nWhat the uploaders wish, in the API's field `gen_ai_preference`:\n\n"
    yield "| wish | sounds |\n| --- | ---: |\n"
    for wish, count in facts.wishes.items():
        yield f"| {wish} | {count:,} |\n"
    if UNKNOWN_WISH in facts.wishes:
        yield "\nAn unknown wish is null in the table. It is not a yes.\n"


def _making(facts: DatasetFacts) -> Iterator[str]:
    yield "\n## How it was made\n\n"
    days = " to ".join(facts.fetched)
    when = f" The records were fetched {days}." if days else ""
    yield f"`harvester export dataset`, version {__version__}, wrote this folder from a library of records.{when} "
    yield "Sounds that were deleted on Freesound or withdrawn by their uploader are left out. Selection:\n\n"
    for name, value in facts.selection.items():
        yield f"- {name}: {_shown(_value_text(value))}\n"
    yield (
        f"\nDigest of the library: `{facts.library_digest}`. The same library, options and versions give the same "
        "files. `rows_sha256` in `manifest.json` is a digest of the values alone, which holds across versions.\n"
    )


def _split(facts: DatasetFacts) -> Iterator[str]:
    assignment = facts.assignment
    group = {"user": "author", "pack": "pack"}[assignment.group_by]
    yield f"\n## Parts\n\n| part | wanted | sounds | {group}s |\n| --- | ---: | ---: | ---: |\n"
    for part, share in assignment.shares.items():
        yield f"| {part} | {share} % | {facts.parts[part]:,} | {facts.groups[part]:,} |\n"
    yield f"\nNo {group} is in two parts"
    yield "; sounds without a pack are grouped by author" if group == "pack" else ""
    if assignment.method == "hash":
        yield f". The part is a function of the {group}'s number (method `hash`), so the sizes are approximate.\n"
    else:
        yield (
            ". The parts have similar shares of each category (of the most frequent tags, where a sound has no "
            "category). `splits.json` is the assignment: `harvester export dataset --splits DIR` keeps it for a larger "
            "library.\n"
        )
    if facts.edges:
        yield "\nEdges join sounds of different parts too.\n"


def _fields(facts: DatasetFacts) -> Iterator[str]:
    yield from _field_table("Fields of a sound", facts.columns)
    if facts.table == "csv":
        yield "\nLists are joined with `|`.\n"
    if facts.edges:
        yield from _field_table("Fields of an edge", EDGE_COLUMNS)


def _field_table(title: str, columns: Iterable[Column]) -> Iterator[str]:
    yield f"\n## {title}\n\n| field | type | meaning |\n| --- | --- | --- |\n"
    for column in columns:
        yield f"| {_shown(column.name)} | {type_name(column)} | {describe(column)} |\n"


def _loading(facts: DatasetFacts) -> Iterator[str]:
    first = next(part for part, count in facts.parts.items() if count)
    yield "\n## Load it\n\n```python\nfrom datasets import load_dataset\n\n"
    yield 'sounds = load_dataset("path/to/this/folder")\n'
    if facts.edges:
        yield f'edges = load_dataset("path/to/this/folder", "{EDGES_CONFIG}")\n'
    yield "```\n\n```python\nimport pandas as pd\n\n"
    yield f'{first} = pd.read_{facts.table}("{data_path(first, facts.table)}")\n```\n'


def _frequencies(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_shown(name)} {count:,}" for name, count in counts.items())


def _value_text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _shown(text: str) -> str:
    return markdown_text(one_line(text))


def _yaml_list(name: str, values: Iterable[str]) -> str:
    return f"{name}:\n" + "".join(f"- {value}\n" for value in values)


def _quoted(text: str) -> str:
    # A JSON text is one of YAML, unless it has control characters or escapes halves of a character.
    return json.dumps(one_line(text), ensure_ascii=False)


_FREESOUND = """@inproceedings{font2013freesound,
  title = {Freesound technical demo},
  author = {Font, Frederic and Roma, Gerard and Serra, Xavier},
  booktitle = {Proceedings of the 21st ACM International Conference on Multimedia},
  pages = {411--412},
  year = {2013}
}"""
