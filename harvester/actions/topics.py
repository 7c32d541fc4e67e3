"""The topics of the guide, which the package brings along."""

from __future__ import annotations

from importlib.resources import files


def guide_topics() -> dict[str, str]:
    """Return the Markdown of every topic of the guide by its name, in alphabetical order."""
    found = (files("harvester") / "guide").iterdir()
    return dict(sorted((one.name.removesuffix(".md"), one.read_text("utf-8")) for one in found))
