"""One sound with typed attributes.

Each is read by its field's rule when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Generic, NoReturn, Self, TypeVar, overload

from harvester.graph.attributes import UNKNOWN_TIME, is_gone
from harvester.records import created_us, gen_ai_wish, license_name, value_of

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Value(Generic[T]):
    """An attribute of a sound that `read(attributes, name)` gives."""

    def __init__(self, doc: str, read: Callable[[Mapping[str, Any], str], T]) -> None:
        self.__doc__ = doc
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, sound: None, owner: type) -> Self: ...

    @overload
    def __get__(self, sound: Sound, owner: type) -> T: ...

    def __get__(self, sound: Sound | None, owner: type) -> T | Self:
        return self if sound is None else self._read(sound._attributes, self._name)

    def __set__(self, sound: Sound, value: NoReturn) -> NoReturn:
        raise AttributeError(f"a sound never changes: {self._name} cannot be set")


def _texts(attributes: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(value_of(attributes, name) or ())


def _texts_by_name(attributes: Mapping[str, Any], name: str) -> Mapping[str, str]:
    return MappingProxyType(value_of(attributes, name) or {})


def _created(attributes: Mapping[str, Any], _name: str) -> datetime | None:
    stamp_us = created_us(attributes)
    return None if stamp_us is None else _moment(stamp_us)


def _stamp(attributes: Mapping[str, Any], name: str) -> datetime | None:
    stamp_us = attributes.get(name, UNKNOWN_TIME)
    return None if stamp_us == UNKNOWN_TIME else _moment(stamp_us)


def _moment(stamp_us: int) -> datetime:
    # `fromtimestamp` would round through a float.
    return _EPOCH + timedelta(microseconds=stamp_us)


def _read_only(kind: type[T]) -> type[T]:
    """Refuse every change of an instance, by name.

    What `dataclass(frozen=True, slots=True)` generates refuses fields only: for any other name it calls `super()` with
    the class before the slots, and raises a `TypeError` about that.
    """

    def refuse(_sound: T, name: str, _value: object = None) -> NoReturn:
        raise AttributeError(f"a sound never changes: {name} cannot be set or deleted")

    for change in ("__setattr__", "__delattr__"):
        setattr(kind, change, refuse)
    return kind


@_read_only
@dataclass(frozen=True, slots=True, repr=False)
class Sound:
    """A sound of a library.

    Its attributes have the names of the API's fields. An attribute is None where the library has no value: the sound
    has no record yet, the field is null, or its value breaks the field's rule. `tags`, `previews` and `images` are then
    empty. Times are in UTC. `id` is the sound's number on Freesound. A sound never changes, and copies nothing until it
    is asked.
    """

    id: int
    _attributes: Mapping[str, Any] = field(hash=False)
    processed: bool = False
    """Whether the library has the sound's complete record and its similar list."""

    name = _Value[str | None]("The title.", value_of)
    tags = _Value[tuple[str, ...]]("The tags.", _texts)
    description = _Value[str | None]("The description, as the uploader wrote it.", value_of)
    category = _Value[str | None]("The category, such as `Soundscapes`.", value_of)
    subcategory = _Value[str | None]("The category within the category.", value_of)
    geotag = _Value[str | None]("Latitude and longitude in degrees, with a space between them.", value_of)
    created = _Value[datetime | None]("The time of the upload.", _created)
    license = _Value[str | None]("The address of the license's deed.", value_of)
    type = _Value[str | None]("The type of the original file, such as `wav`.", value_of)
    channels = _Value[int | None]("The number of channels.", value_of)
    filesize = _Value[int | None]("The size of the original file in bytes.", value_of)
    bitrate = _Value[int | None]("The bit rate in kbit/s.", value_of)
    bitdepth = _Value[int | None]("The bits of a sample.", value_of)
    duration = _Value[float | None]("The length in seconds.", value_of)
    samplerate = _Value[float | None]("The sample rate in Hz.", value_of)
    username = _Value[str | None]("The uploader.", value_of)
    pack = _Value[str | None]("The address of the pack in the API.", value_of)
    pack_name = _Value[str | None]("The name of the pack.", value_of)
    url = _Value[str | None]("The address of the sound's page.", value_of)
    previews = _Value[Mapping[str, str]](
        "The addresses of the previews, by `preview-hq-mp3` and so on.", _texts_by_name
    )
    images = _Value[Mapping[str, str]]("The addresses of the pictures, by `waveform_m` and so on.", _texts_by_name)
    num_downloads = _Value[int | None]("How often the sound was downloaded.", value_of)
    avg_rating = _Value[float | None]("The mean rating, from 0 to 5.", value_of)
    num_ratings = _Value[int | None]("The number of ratings.", value_of)
    num_comments = _Value[int | None]("The number of comments.", value_of)
    gen_ai_preference = _Value[str | None]("What the uploader wishes about generative AI.", value_of)
    md5 = _Value[str | None]("The MD5 digest of the original file, in hexadecimal.", value_of)
    is_explicit = _Value[bool | None]("Whether the sound is marked as explicit.", value_of)
    added_at = _Value[datetime | None]("When the library first knew of the sound; None if unknown.", _stamp)
    fetched_at = _Value[datetime | None]("When the record was fetched; None if unknown.", _stamp)
    linked_at = _Value[datetime | None]("When the similar list was fetched or computed.", _stamp)

    @property
    def license_name(self) -> str:
        """The license's short name, such as `BY 4.0`; `none` without one."""
        return license_name(self.license)

    @property
    def gen_ai_wish(self) -> str:
        """The uploader's wish about generative AI; `unknown` without one.

        Also for a value that is none of the API's four. `gen_ai_preference` has the field itself.
        """
        return gen_ai_wish(self.gen_ai_preference)

    @property
    def has_record(self) -> bool:
        """Whether the library has a record of the sound."""
        return "fetched_at" in self._attributes

    @property
    def is_gone(self) -> bool:
        """Whether the sound was deleted on Freesound or withdrawn.

        Exports leave it out.
        """
        return is_gone(self._attributes)

    @property
    def raw(self) -> Mapping[str, Any]:
        """All that the library holds of the sound, read-only.

        The record as the API sent it, of any type, and the library's stamps, in microseconds UTC. Lists are tuples.
        """
        raw: Mapping[str, Any] = frozen(self._attributes)
        return raw

    def value(self, name: str) -> Any:
        """Return any field by its rule, or None where it is absent.

        For fields of `--extra-fields`, such as `bpm`. Lists are tuples, and mappings cannot be changed.
        """
        return frozen(value_of(self._attributes, name))

    def __repr__(self) -> str:
        if not self.has_record:
            return f"<Sound {self.id}, no record>"
        return f"<Sound {self.id} {self.name or ''!r} by {self.username or 'unknown'!r}, {self.license_name!a}>"


def frozen(value: Any) -> Any:
    """Return a JSON value with its lists and dicts made read-only."""
    if isinstance(value, dict):
        return MappingProxyType({name: frozen(inner) for name, inner in value.items()})
    if isinstance(value, list):
        return tuple(map(frozen, value))
    return value
