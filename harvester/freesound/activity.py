"""Count the requests of one run and their results."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from harvester.errors import AnswerChanged, ApiUnreachable, FetchFailed, HarvesterError
from harvester.freesound.shape import IN_A_ROW, Kind, Unusable


@dataclass(slots=True)
class Activity:
    """Counters of one run.

    `counted`: requests with the key, which the API counts. `useful`: answers with the requested data. `failed`: other
    answers, and requests without one (a 429 is neither). `refused`: answers with 429. `denied`: 401 to a
    request with the key. `given_up`: requests that are not retried.
    """

    sent: int = 0
    counted: int = 0
    answered: int = 0
    retried: int = 0
    refused: int = 0
    denied: int = 0
    on_the_wire: int = 0
    failed: Counter[Kind] = field(default_factory=Counter)
    useful: Counter[Kind] = field(default_factory=Counter)
    given_up: Counter[Kind] = field(default_factory=Counter)
    last_failure: Exception | None = None

    def note_failure(self, kind: Kind, failure: Exception) -> None:
        """Count a request that brought no data."""
        self.failed[kind] += 1
        self.last_failure = failure

    def note_given_up(self, kind: Kind, failure: FetchFailed) -> None:
        """Count a request that is not retried."""
        self.given_up[kind] += 1
        self.last_failure = failure

    def error_if_all_failed(self, address: str, *, in_outage: bool) -> HarvesterError | None:
        """Return the error of a run that got nothing, or no similar list.

        Failed attempts at one list say nothing about other lists, unless the run ended `in_outage`.
        """
        lists = self.failed[Kind.SIMILAR] if in_outage else self.given_up[Kind.SIMILAR]
        if not self.useful.total():
            kinds, failed = "requests", self.failed.total()
        elif lists >= IN_A_ROW and not self.useful[Kind.SIMILAR]:
            kinds, failed = "requests for similar lists", lists
        else:
            return None
        if not failed:
            return None
        error = AnswerChanged if isinstance(self.last_failure, Unusable) else ApiUnreachable
        return error(
            f"all {kinds} to {address} failed ({failed}, the last one: {self.last_failure}); "
            "everything fetched before is kept; try again later"
        )
