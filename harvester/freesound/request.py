"""What is asked of the API: one request, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from harvester.freesound.address import encode_query
from harvester.freesound.shape import Kind
from harvester.freesound.wire import RawResponse

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """One request: where it goes, how its answer is read, and what may be done with it.

    `anonymous`: without the key. `divisible`: a smaller one may be answered where this one is late.
    """

    kind: Kind
    path: str
    params: Mapping[str, str]
    read: Callable[[RawResponse], T]
    anonymous: bool = False
    divisible: bool = False

    @property
    def key(self) -> str:
        """What tells this request from others of its kind."""
        return f"{self.path}?{encode_query(self.params)}"

    @property
    def is_first_page(self) -> bool:
        return "page" not in self.params

    @property
    def is_plain_search(self) -> bool:
        """Whether nothing that a person wrote is in it: no refusal can be about that."""
        return self.kind is Kind.SEARCH and not self.params.get("query") and "filter" not in self.params
