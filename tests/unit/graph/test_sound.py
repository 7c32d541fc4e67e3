"""A sound: each attribute has the type of its field's rule, whatever the record holds, and nothing changes it."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.graph import Sound, SoundGraph
from harvester.graph.sound import _Value
from harvester.model import RECORD_FIELDS, Gone, Known, Seen, Withdrawn
from harvester.records import RULES, FieldKind, created_us, license_name, value_of
from tests.support.histories import quick, values
from tests.support.samples import NOW_US, make_events, make_state
from tests.support.view_samples import BY, make_record

TYPES: dict[FieldKind, type | tuple[type, ...]] = {
    FieldKind.TEXT: str,
    FieldKind.INT: int,
    FieldKind.FLOAT: (int, float),
    FieldKind.BOOL: bool,
}
CONTAINERS = ("tags", "previews", "images")


def sound_with(**changes: Any) -> Sound:
    state = SoundGraph()
    state.apply(Seen(1, make_record(1, **changes), NOW_US))
    return state.sound(1)


def declared(name: str) -> Any:
    """Return the type that a type checker sees: the argument of `_Value[...]` in the class."""
    descriptor = vars(Sound)[name]
    assert isinstance(descriptor, _Value)
    (kind,) = get_args(descriptor.__orig_class__)  # type: ignore[attr-defined]
    return kind


def test_every_field_of_a_record_is_an_attribute() -> None:
    assert [name for name in RECORD_FIELDS if not hasattr(Sound, name) and name != "id"] == []
    fields = {name for name, value in vars(Sound).items() if isinstance(value, _Value)}
    assert fields - set(RECORD_FIELDS) == {"added_at", "fetched_at", "linked_at"}
    assert all(vars(Sound)[name].__doc__.endswith(".") for name in fields)


@pytest.mark.parametrize("name", [name for name in RECORD_FIELDS if name not in ("id", "created")])
def test_a_type_checker_sees_the_type_of_the_rule(name: str) -> None:
    rule = {
        FieldKind.TEXT: str | None,
        FieldKind.INT: int | None,
        FieldKind.FLOAT: float | None,
        FieldKind.BOOL: bool | None,
        FieldKind.TEXTS: tuple[str, ...],
        FieldKind.TEXTS_BY_NAME: Mapping[str, str],
    }
    assert declared(name) == rule[RULES[name].kind]


@quick
@given(st.sampled_from([name for name in RECORD_FIELDS if name not in ("id", "created", *CONTAINERS)]), values)
def test_an_attribute_is_its_fields_value_by_the_rule(name: str, value: Any) -> None:
    sound = Sound(1, {"added_at": 1, "fetched_at": 1, name: value})
    found = getattr(sound, name)
    assert found == value_of({name: value}, name) == sound.value(name)
    assert found is None or isinstance(found, TYPES[RULES[name].kind])


@quick
@given(st.sampled_from(CONTAINERS), values)
def test_a_container_is_empty_where_its_value_breaks_the_rule(name: str, value: Any) -> None:
    found = getattr(Sound(1, {"added_at": 1, name: value}), name)
    expected = value_of({name: value}, name) or ()
    assert (found == tuple(expected)) if name == "tags" else (found == dict(expected))
    assert all(isinstance(one, str) for one in found)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2012-10-21T14:54:11Z", datetime(2012, 10, 21, 14, 54, 11, tzinfo=UTC)),
        ("2012-10-21T14:54:11.123456", datetime(2012, 10, 21, 14, 54, 11, 123456, tzinfo=UTC)),
        ("2012-10-21T00:54:11+02:00", datetime(2012, 10, 20, 22, 54, 11, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
    ],
)
def test_created_is_a_time_in_utc(text: str | None, moment: datetime | None) -> None:
    sound = sound_with(created=text)
    assert sound.created == moment
    stamp_us = created_us({"created": text})
    assert stamp_us is None or moment is not None
    if moment is not None:
        assert moment.tzinfo is UTC
        assert sound.created is not None
        assert sound.created.utcoffset() == moment.utcoffset()


def test_stamps_are_times_to_the_microsecond() -> None:
    state = make_state(make_events(2, at=1_790_000_000_123_457))
    assert state.sound(1).fetched_at == datetime(2026, 9, 21, 14, 13, 20, 123457, tzinfo=UTC)
    assert state.sound(1).linked_at == state.sound(1).added_at == state.sound(1).fetched_at
    assert Sound(1, {"added_at": 0, "fetched_at": 253_402_300_799_999_999}).fetched_at == datetime.max.replace(
        tzinfo=UTC
    )


def test_a_sound_without_a_record_has_nothing_but_its_id() -> None:
    state = SoundGraph()
    state.apply(Known(7, NOW_US))
    sound = state.sound(7)
    assert (sound.id, sound.has_record, sound.processed, sound.is_gone) == (7, False, False, False)
    assert (sound.name, sound.tags, sound.previews, sound.created, sound.fetched_at) == (None, (), {}, None, None)
    assert (sound.license, sound.license_name, sound.raw) == (None, "none", {"added_at": NOW_US})
    assert repr(sound) == "<Sound 7, no record>"


def test_a_sound_tells_what_became_of_it() -> None:
    state = make_state([*make_events(2), Gone(1, NOW_US), Withdrawn(2, NOW_US)])
    assert [(state.sound(one).processed, state.sound(one).is_gone) for one in (1, 2)] == [(True, True), (True, True)]
    assert state.sound(2).name is None
    assert sound_with(license=BY).license_name == license_name(BY) == "BY 4.0"


@pytest.mark.parametrize("name", ["id", "processed", "name", "tags", "url", "raw", "license_name", "no_such_field"])
def test_a_sound_cannot_be_changed(name: str) -> None:
    sound = sound_with()
    with pytest.raises(AttributeError, match=name):
        setattr(sound, name, "changed")
    with pytest.raises(AttributeError, match=name):
        delattr(sound, name)
    with pytest.raises(TypeError):
        sound.previews["new"] = "x"  # type: ignore[index]
    with pytest.raises(TypeError):
        sound.raw["name"] = "changed"  # type: ignore[index]


def test_equal_sounds_hash_alike() -> None:
    assert sound_with() == sound_with() != sound_with(name="other")
    assert len({sound_with(), sound_with()}) == 1


def test_repr_is_one_line_of_what_a_terminal_may_show() -> None:
    assert repr(sound_with(name="a\n\x1b[31m\u202e", license="x\n")) == (
        r"<Sound 1 'a\n\x1b[31m\u202e' by 'user1', 'x\n'>"
    )


def test_type_hints_of_the_class_resolve() -> None:
    assert typing.get_type_hints(Sound)["id"] is int
