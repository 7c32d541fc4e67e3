"""`harvester show`: print one sound, its neighbours and related sounds."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, duration_text, print_json, print_lines, size_text
from harvester.cli.options import check_ids
from harvester.counts import counted
from harvester.model import COMPUTED
from harvester.terminal_text import escape_line


def show(
    sound_id: Annotated[int, typer.Argument(callback=check_ids, metavar="ID", help="The sound's id.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one sound, its neighbours and its related sounds."""
    from harvester import actions

    sound = actions.show(sound_id, library=library).as_dict()
    if as_json:
        print_json(sound)
    else:
        print_lines(*_lines(sound))


def _lines(sound: dict[str, Any]) -> list[str]:
    from harvester.records import value_of

    record = {name: value_of(sound["record"], name) for name in sound["record"] or ()}
    state = "processed" if sound["processed"] else "waiting in the frontier"
    if sound["gone"]:
        state = "withdrawn" if "withdrawn_at" in sound["stamps"] else "deleted from Freesound"
    name = record.get("name") or ("(no name)" if sound["record"] else "(no record)")
    lines = [f"{name}   [{sound['id']}, {state}]"]
    facts = [
        ("by", record.get("username")),
        ("license", record.get("license")),
        ("tags", " ".join(record.get("tags") or ())),
        ("category", " / ".join(filter(None, (record.get("category"), record.get("subcategory"))))),
        ("pack", record.get("pack_name") or record.get("pack")),
        ("uploaded", record.get("created")),
        ("length", _length(record)),
        ("file", _file(record)),
        ("popularity", _popularity(record)),
        ("gen-AI wish", sound["gen_ai_wish"] if sound["record"] else ""),
        ("page", record.get("url")),
        ("preview", (record.get("previews") or {}).get("preview-hq-mp3")),
    ]
    lines += [f"  {name:<12} {value}" for name, value in facts if value]
    description = (record.get("description") or "").strip()
    if description:
        text = escape_line(" ".join(description.split()))
        lines += ["", f"  {text[:300]}{'…' if len(text) > 300 else ''}"]
    made = ""
    if sound["list"]:
        origin = "computed here" if sound["list"]["origin"] == COMPUTED else "from the server"
        made = f" ({origin} on {sound['list']['linked_at'][:10]})"
    sizes = {name: len(sound[name]) for name in ("neighbours", "listed_by", "related", "related_by")}
    listed_by = counted(sizes["listed_by"], "sound")
    lines += ["", f"  {counted(sizes['neighbours'], 'neighbour')}{made}; a neighbour of {listed_by}"]
    lines += [f"  {n['score']:.4f}  {n['id']:>8}  {n['name'] or ''}" for n in sound["neighbours"]]
    if sound["related"] or sound["related_by"]:
        related_by = counted(sizes["related_by"], "sound")
        lines += ["", f"  {counted(sizes['related'], 'related sound')}; related to by {related_by}"]
    lines += [f"  {_relations(n['relations']):<20}  {n['id']:>8}  {n['name'] or ''}" for n in sound["related"]]
    return lines


def _relations(relations: dict[str, float | None]) -> str:
    return ", ".join(kind if weight is None else f"{kind} {weight:.4g}" for kind, weight in relations.items())


def _length(record: dict[str, Any]) -> str:
    duration = record.get("duration")
    if duration is None:
        return ""
    return f"{duration:.2f} s" if duration < 60 else duration_text(duration)


def _file(record: dict[str, Any]) -> str:
    parts = [
        record.get("type") or "",
        {None: "", 1: "mono", 2: "stereo"}.get(record.get("channels"), f"{record.get('channels')} channels"),
        f"{record['samplerate']:g} Hz" if record.get("samplerate") else "",
        f"{record['bitdepth']} bit" if record.get("bitdepth") else "",
        size_text(record["filesize"]) if record.get("filesize") else "",
    ]
    return ", ".join(filter(None, parts))


def _popularity(record: dict[str, Any]) -> str:
    if record.get("num_downloads") is None:
        return ""
    rating, ratings, comments = (record.get(name) or 0 for name in ("avg_rating", "num_ratings", "num_comments"))
    return f"{record['num_downloads']} downloads, rated {rating:.1f} of 5 by {ratings}, {comments} comments"
