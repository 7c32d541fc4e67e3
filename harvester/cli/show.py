"""`harvester show`: one sound and its neighbours, from the library, offline."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, duration_text, plain_text, size_text
from harvester.cli.options import check_ids
from harvester.errors import SettingsError
from harvester.model import COMPUTED


def show(
    sound_id: Annotated[int, typer.Argument(callback=check_ids, metavar="ID", help="The sound's id.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one sound and its neighbours."""
    # Heavy imports wait until the command runs: `harvester --help` must not pay for them.
    import orjson

    from harvester.cli.places import find_library
    from harvester.library.view import load_view
    from harvester.views.sound import describe_sound

    folder = find_library(library)
    sound = describe_sound(load_view(folder).state, sound_id)
    if sound is None:
        raise SettingsError(f"sound {sound_id} is not in {folder}; `harvester harvest --seed {sound_id}` fetches it")
    if as_json:
        sys.stdout.write(orjson.dumps(sound, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write("\n".join(_lines(sound)) + "\n")


def _lines(sound: dict[str, Any]) -> list[str]:
    record = sound["record"] or {}
    state = "sample" if sound["processed"] else "waiting in the frontier"
    if sound["gone"]:
        state = "withdrawn here" if "withdrawn_at" in sound["stamps"] else "gone from Freesound"
    name = record.get("name") or ("(no name)" if sound["record"] else "(no record)")
    lines = [f"{plain_text(name)}   [{sound['id']}, {state}]"]
    facts = [
        ("by", record.get("username")),
        ("licence", record.get("license")),
        ("tags", " ".join(map(str, record.get("tags") or ()))),
        ("category", " / ".join(filter(None, (record.get("category"), record.get("subcategory"))))),
        ("pack", record.get("pack_name") or record.get("pack")),
        ("uploaded", record.get("created")),
        ("length", _length(record)),
        ("file", _file(record)),
        ("heard", _heard(record)),
        ("gen-AI wish", record.get("gen_ai_preference")),
        ("page", record.get("url")),
        ("preview", (record.get("previews") or {}).get("preview-hq-mp3")),
    ]
    lines += [f"  {name:<12} {plain_text(value)}" for name, value in facts if value]
    description = str(record.get("description") or "").strip()
    if description:
        text = plain_text(" ".join(description.split()))
        lines += ["", f"  {text[:300]}{'…' if len(text) > 300 else ''}"]
    made = ""
    if sound["list"]:
        whence = "computed here" if sound["list"]["origin"] == COMPUTED else "from the server"
        made = f" ({whence} on {sound['list']['linked_at'][:10]})"
    lines += ["", f"  {len(sound['neighbours'])} neighbours{made}, listed by {len(sound['listed_by'])} sounds"]
    lines += [f"  {n['score']:.4f}  {n['id']:>8}  {plain_text(n['name'] or '')}" for n in sound["neighbours"]]
    return lines


def _length(record: dict[str, Any]) -> str:
    duration = record.get("duration")
    if not isinstance(duration, int | float):
        return ""
    return f"{duration:.2f} s" if duration < 60 else duration_text(duration)


def _file(record: dict[str, Any]) -> str:
    parts = [
        str(record.get("type") or ""),
        {None: "", 1: "mono", 2: "stereo"}.get(record.get("channels"), f"{record.get('channels')} channels"),
        f"{record['samplerate']:g} Hz" if record.get("samplerate") else "",
        f"{record['bitdepth']} bit" if record.get("bitdepth") else "",
        size_text(record["filesize"]) if record.get("filesize") else "",
    ]
    return ", ".join(filter(None, parts))


def _heard(record: dict[str, Any]) -> str:
    if record.get("num_downloads") is None:
        return ""
    rating = record.get("avg_rating") or 0.0
    return (
        f"{record['num_downloads']} downloads, rated {rating:.1f} of 5 by {record.get('num_ratings')}, "
        f"{record.get('num_comments')} comments"
    )
