"""What is one author, one pack and a sound's class."""

from __future__ import annotations

from typing import Any

from harvester.dataset.grouping import group_sounds
from harvester.graph import select
from tests.support.view_samples import make_record, make_state


def record(sound_id: int, account: int | None, **changes: Any) -> dict[str, Any]:
    """Return a record of the account with this number, without a preview for None."""
    address = f"https://cdn.example/previews/0/{sound_id}_{account}-hq.mp3"
    previews = None if account is None else {"preview-hq-mp3": address}
    username = f"user{account}"
    return make_record(
        sound_id, **{"previews": previews, "username": username, "category": None, "pack": None, **changes}
    )


def groups_of(*records: dict[str, Any], group_by: str = "user") -> dict[str, tuple[int, ...]]:
    """Return the sounds of each group by its key."""
    return {group.key: group.sound_ids for group in group_sounds(select(make_state(list(records))), group_by)}


def test_an_author_is_an_account_whatever_its_names() -> None:
    assert groups_of(
        record(1, 15, username="anna"),
        record(2, 15, username="Anna_B"),
        record(3, None, username="anna_b"),
        record(4, None, username="carl"),
        record(5, None, username=None),
        record(6, 16, username="dora"),
    ) == {"user:15": (1, 2, 3), "name:carl": (4,), "sound:5": (5,), "user:16": (6,)}


def test_two_accounts_that_shared_a_name_are_one_author_under_the_smaller_number() -> None:
    assert groups_of(record(1, 200, username="x"), record(2, 9, username="x"), record(3, 200, username="y")) == {
        "user:9": (1, 2, 3)
    }


def test_a_preview_of_another_sound_tells_no_account() -> None:
    wrong = {"preview-hq-mp3": "https://cdn.example/previews/0/77_15-hq.mp3"}
    assert groups_of(record(1, None, username="x", previews=wrong)) == {"name:x": (1,)}


def test_by_pack_sounds_without_a_pack_stay_with_their_author() -> None:
    pack = "https://freesound.org/apiv2/packs/77/"
    found = groups_of(
        record(1, 15, pack=pack), record(2, 15), record(3, 15), record(4, 16, pack=pack), record(5, 16), group_by="pack"
    )
    assert found == {"pack:77": (1, 4), "user:15": (2, 3), "user:16": (5,)}


def test_the_class_is_the_category_or_the_most_frequent_tag() -> None:
    records = [record(sound_id, 1, tags=["rain", "rare"] if sound_id < 4 else ["dry"]) for sound_id in range(1, 7)]
    records[0]["category"] = "Music"
    records[5]["tags"] = []
    [group] = group_sounds(select(make_state(records)), "user")
    # Of two tags that are equally frequent, the first one in the alphabet counts.
    assert dict(group.classes) == {"Music": 1, "rain": 2, "dry": 2, "other": 1}
