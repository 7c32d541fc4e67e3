"""The laws of a split, whatever the authors are: whole groups, right sizes, and nothing moves without need."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.dataset.splits import METHODS, Assignment, SoundGroup, assign, read_shares
from harvester.errors import SettingsError

CLASSES = ("Music", "Soundscapes", "Speech", "rain")
SPLITS = st.sampled_from(["80/10/10", "90/10", "50/25/25", "100", "98/1/1"])
AUTHORS = st.lists(st.dictionaries(st.sampled_from(CLASSES), st.integers(1, 40), min_size=1), min_size=1, max_size=60)


def make_groups(authors: list[dict[str, int]], first: int = 0) -> list[SoundGroup]:
    """Return a group for each author, who has so many sounds of each class."""
    numbers = count(10_000 * first + 1)
    return [
        SoundGroup(
            f"user:{first + place}",
            tuple(next(numbers) for _ in range(sum(classes.values()))),
            tuple(sorted(classes.items())),
        )
        for place, classes in enumerate(authors)
    ]


@given(AUTHORS, SPLITS, st.sampled_from(METHODS), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_every_sound_is_in_one_part_with_its_group_in_whatever_order_they_come(
    authors: list[dict[str, int]], split: str, method: str, random: object
) -> None:
    groups, shares = make_groups(authors), read_shares(split)
    found = assign(groups, shares, group_by="user", method=method)
    parts = {part: set(found.sound_ids(part)) for part in shares}
    assert sorted(one for ids in parts.values() for one in ids) == [one for group in groups for one in group.sound_ids]
    for group in groups:
        assert parts[found.groups[group.key]] >= set(group.sound_ids)
    shuffled = list(groups)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert assign(shuffled, shares, group_by="user", method=method) == found


@given(AUTHORS, SPLITS)
@settings(max_examples=100)
def test_no_part_misses_its_size_by_more_than_a_percent_or_the_largest_author(
    authors: list[dict[str, int]], split: str
) -> None:
    groups, shares = make_groups(authors), read_shares(split)
    found = assign(groups, shares, group_by="user")
    sizes = Counter(found.sounds.values())
    total, largest = sizes.total(), max(len(group.sound_ids) for group in groups)
    for part, share in shares.items():
        assert abs(sizes[part] / total - share / 100) <= max(0.01, largest / total) + 1e-9


@given(AUTHORS, AUTHORS, SPLITS, st.integers(1, 40))
@settings(max_examples=60)
def test_no_known_sound_moves_when_the_library_grows(
    authors: list[dict[str, int]], more: list[dict[str, int]], split: str, added: int
) -> None:
    groups, shares = make_groups(authors), read_shares(split)
    earlier = assign(groups, shares, group_by="user")
    # Known authors upload more sounds, and new authors come.
    grown = [
        SoundGroup(
            group.key,
            (*group.sound_ids, *range(1_000_000 * (place + 1), 1_000_000 * (place + 1) + added)),
            tuple(sorted((Counter(dict(group.classes)) + Counter({CLASSES[0]: added})).items())),
        )
        for place, group in enumerate(groups)
    ]
    found = assign([*grown, *make_groups(more, first=500)], shares, group_by="user", earlier=earlier)
    assert {one: found.sounds[one] for one in earlier.sounds} == earlier.sounds
    assert found.groups.items() >= earlier.groups.items()


def test_a_renamed_author_keeps_the_part_and_an_author_of_two_names_gets_that_of_most_sounds() -> None:
    earlier = Assignment(
        "user",
        "greedy",
        {"train": 80, "test": 20},
        {"name:a": "test", "name:b": "train"},
        {1: "test", 2: "test", 3: "train"},
    )
    renamed = [SoundGroup("name:new", (1, 2, 9), (("x", 3),)), SoundGroup("name:b", (3,), (("x", 1),))]
    assert assign(renamed, earlier.shares, group_by="user", earlier=earlier).sounds == {
        1: "test",
        2: "test",
        9: "test",
        3: "train",
    }
    # All of the author's earlier sounds were deleted; the key is still known.
    again = [SoundGroup("name:a", (50,), (("x", 1),)), SoundGroup("name:c", (60,), (("x", 1),))]
    assert assign(again, earlier.shares, group_by="user", earlier=earlier).groups["name:a"] == "test"
    both = [SoundGroup("user:5", (1, 2, 3), (("x", 3),))]
    assert assign(both, earlier.shares, group_by="user", earlier=earlier).groups == {"user:5": "test"}


def test_the_parts_have_similar_shares_of_each_class() -> None:
    groups = make_groups([{CLASSES[place % 4]: 1 + place % 7} for place in range(400)])
    found = assign(groups, read_shares("80/10/10"), group_by="user")
    whole = Counter(name for group in groups for name, number in group.classes for _ in range(number))
    for part in found.shares:
        inside = Counter(
            name
            for group in groups
            if found.groups[group.key] == part
            for name, number in group.classes
            for _ in range(number)
        )
        for name in CLASSES:
            assert inside[name] / inside.total() == pytest.approx(whole[name] / whole.total(), abs=0.01)


def test_by_hash_an_author_is_where_he_is_in_every_library() -> None:
    groups = make_groups([{"Music": 3}] * 300)
    whole = assign(groups, read_shares("80/10/10"), group_by="user", method="hash")
    half = assign(groups[::2], read_shares("80/10/10"), group_by="user", method="hash")
    assert half.groups.items() <= whole.groups.items()
    assert Counter(whole.groups.values()) == {"train": 227, "validation": 36, "test": 37}


@pytest.mark.parametrize(
    "text",
    ["", "80", "80/30", "80/10/5/5", "100/0", "-10/110", "a/b", "50.5/49.5", "٥٠/50", "99999/1", "00080/20", "8" * 41],
)
def test_what_is_no_split_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_shares(text)
    assert str(caught.value) == (
        f"--split '{text[:40]}' is no split; write percentages of train, validation and test that add up to 100, "
        "such as 80/10/10, 90/10 (train and test) or 100"
    )


ALIKE = [(key, {"x": 2}) for key in "abcde"]
MIXED = [
    ("a", {"x": 3, "y": 1}), ("b", {"y": 4}), ("c", {"x": 1}), ("d", {"x": 2, "z": 2}), ("e", {"y": 2}),
    ("f", {"z": 3}), ("g", {"x": 2, "z": 1}), ("h", {"y": 1}), ("i", {"x": 1}), ("j", {"x": 5, "y": 5}),
]  # fmt: skip
THREE = [(key, {"x": 3}) for key in "abc"]


@pytest.mark.parametrize(
    ("authors", "split", "keys"),
    [
        ([], "80/20", {"train": "", "test": ""}),
        # All fit to the last sound: the third author costs less in test, which it fills, than in train.
        (ALIKE, "80/20", {"train": "acde", "test": "b"}),
        (MIXED, "50/25/25", {"train": "cefij", "validation": "bd", "test": "agh"}),  # 17, 8 and 8 of 33 sounds
        (MIXED, "80/10/10", {"train": "abdfhij", "validation": "g", "test": "ce"}),  # 27, 3 and 3
        ([("a", {"x": 9}), ("b", {"x": 1}), ("c", {"x": 1})], "50/50", {"train": "a", "test": "bc"}),
        # No part has room for the second author: it goes where most is lacking.
        (THREE, "50/25/25", {"train": "c", "validation": "b", "test": "a"}),
    ],
)
def test_the_parts_of_a_few_authors_by_value(
    authors: list[tuple[str, dict[str, int]]], split: str, keys: dict[str, str]
) -> None:
    numbers = count(1)
    groups = [
        SoundGroup(key, tuple(next(numbers) for _ in range(sum(classes.values()))), tuple(classes.items()))
        for key, classes in authors
    ]
    found = assign(groups, read_shares(split), group_by="pack")
    assert (found.group_by, found.method, dict(found.shares)) == ("pack", "greedy", read_shares(split))
    assert {part: "".join(found.group_keys(part)) for part in found.shares} == keys
    for part, inside in keys.items():
        assert found.sound_ids(part) == [one for group in groups if group.key in inside for one in group.sound_ids]


def test_by_hash_every_key_has_a_part_by_value() -> None:
    parts = {"user:1": "train", "user:6": "validation", "user:18": "test", "\ud800": "train"}
    found = assign([SoundGroup(key, (), ()) for key in parts], read_shares("80/10/10"), group_by="user", method="hash")
    assert (found.group_by, found.method) == ("user", "hash")
    assert found.groups == parts
