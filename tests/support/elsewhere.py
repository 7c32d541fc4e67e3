"""Workers without the memory of this process, as those of a cluster are, and what they return if they are broken."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from harvester.jobs import Threads


def _as_it_is(*result: Any) -> Any:
    return result


class Elsewhere(Threads):
    """Workers of another machine; `falsify` gets the values of a result and returns another one."""

    is_remote = True

    def __init__(self, falsify: Callable[..., Any] = _as_it_is) -> None:
        super().__init__()
        self._falsify = falsify

    def each(self, function: Callable[..., Any], arguments: Iterable[Any], *shared: Any) -> Iterator[Any]:
        for argument in arguments:
            sent, values, one = pickle.loads(pickle.dumps((function, shared, argument)))
            result = sent(*values, one)
            yield result if result is None else self._falsify(*result)
