"""One request to the API, and the function that reads its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from harvester.freesound.address import encode_query
from harvester.freesound.shape import Kind
from harvester.freesound.wire import RawResponse

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request; `read` makes its answer into data.

    `anonymous`: sent without the key. `divisible`: when the answer is late, smaller requests may succeed.
    """

    kind: Kind
    path: str
    params: Mapping[str, str]
    read: Callable[[RawResponse], T]
    anonymous: bool = False
    divisible: bool = False

    @property
    def key(self) -> str:
        """Path and query: the identity of this request."""
        return f"{self.path}?{encode_query(self.params)}"

    @property
    def is_first_page(self) -> bool:
        """Whether the request is for page 1."""
        return "page" not in self.params

    @property
    def is_plain_search(self) -> bool:
        """Whether it is a search without the user's query and filter."""
        return self.kind is Kind.SEARCH and not self.params.get("query") and "filter" not in self.params
