"""Decide whether answers of one kind have changed their shape as a whole, or one answer is odd.

A state machine over given answers; it neither waits nor sends. Rule: the same evidence for the same kind of request
three times in a row, each for another request, or ten times among the last twenty answers. A usable or honestly empty
answer ends the row, not the window. Answers of fewer than three rows prove nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from enum import Enum
from hashlib import blake2b

from harvester.errors import Doubt, FetchFailed
from harvester.model import CORE_FIELDS, Record, RecordsPage, SimilarPage

IN_A_ROW = 3
IN_THE_WINDOW = 10
WINDOW = 20
LEAST_ROWS = 3
LEAST_NULLS = 25
PROBES_S = (60, 5 * 60, 30 * 60, 2 * 3600, 6 * 3600)
"""How long to wait before each further look at answers that have changed; the last one repeats."""
KEPT_BODY_BYTES = 64 * 1024
"""How much of one unusable answer is kept for inspection."""
NOTED_ROWS = 50
NOTED_SHARE = 0.9
_NEVER_NULL = frozenset(CORE_FIELDS) - {"category", "subcategory", "geotag", "bitdepth", "bitrate", "pack"}


class Kind(Enum):
    """What a request asks for; the value names its answers."""

    SIMILAR = "similar lists"
    SEARCH = "search results"
    SOUND = "records of single sounds"
    IDENTITY = "first answers"


class Evidence(Enum):
    """How a 200 with JSON is unusable; the value completes "similar lists …"."""

    NOT_OBJECT = "are not JSON objects"
    NO_RESULTS = "come without a list of `results`"
    NO_ID = "come without a valid `id` in any row"
    NO_SCORE = "come without a valid `score` in any row"
    EMPTY = "come without rows although `count` is not 0"
    ALL_NULL = "come with nothing but null rows"


class Unusable(FetchFailed):
    """A 200 with JSON of another shape than promised."""

    def __init__(self, evidence: Evidence, body: bytes) -> None:
        super().__init__(f"unusable answer: such answers {evidence.value}", body[:KEPT_BODY_BYTES])
        self.evidence = evidence


def evidence_of(answer: object, *, first_page: bool) -> Evidence | bool:
    """Return what is unusable about an answer that was read; True when it is usable, False when it proves nothing."""
    if not isinstance(answer, SimilarPage | RecordsPage):
        return answer is not None
    read = len(answer.records)
    if read:
        if isinstance(answer, RecordsPage) or answer.neighbours:
            return True
        return Evidence.NO_SCORE if read >= LEAST_ROWS else False
    nulls = answer.oddities.get("null result", 0)
    others = answer.oddities.get("no id", 0) + answer.oddities.get("not an object", 0)
    if others:
        return Evidence.NO_ID if others >= LEAST_ROWS else False
    if nulls:
        return Evidence.ALL_NULL if nulls >= LEAST_NULLS else False
    if answer.count == 0:
        return True
    return Evidence.EMPTY if first_page else False


class _Answers:
    """The latest answers of one kind."""

    def __init__(self) -> None:
        self.window: deque[Evidence | None] = deque(maxlen=WINDOW)
        self.row: Evidence | None = None
        self.keys: list[str] = []
        self.digests: set[bytes] = set()
        self.doubt = Doubt()
        self.changed = False
        self.probes = 0


class Shape:
    """Judges the answers of one run, each kind of request for itself."""

    def __init__(self) -> None:
        self._kinds = {kind: _Answers() for kind in Kind}

    def usable(self, kind: Kind) -> None:
        """Note a usable or honestly empty answer: earlier failures concern single sounds."""
        answers = self._kinds[kind]
        if answers.changed:
            self._kinds[kind] = _Answers()
            return
        answers.window.append(None)
        if answers.row is not None:
            answers.row, answers.keys = None, []
            answers.doubt.close(concerns_all=False)
            answers.doubt = Doubt()

    def unusable(self, kind: Kind, evidence: Evidence, key: str, body: bytes) -> str | None:
        """Note an unusable answer to the request `key`; return what has changed, once that is certain.

        A search is asked again by itself, so its repetitions count, but not for null rows: a page of sounds that were
        just deleted stays one. Any other request that is repeated proves no more.
        """
        answers = self._kinds[kind]
        repeats = kind is Kind.SEARCH and evidence is not Evidence.ALL_NULL
        digest = blake2b(body, digest_size=16).digest()
        if evidence is not answers.row:
            answers.row, answers.keys, answers.digests = evidence, [], set()
        elif key in answers.keys and not repeats and not answers.changed:
            return None
        answers.window.append(evidence)
        answers.keys = [*answers.keys, key][-IN_A_ROW:]
        answers.digests.add(digest)
        in_a_row, in_the_window = len(answers.keys), answers.window.count(evidence)
        if not answers.changed and in_a_row < IN_A_ROW and in_the_window < IN_THE_WINDOW:
            return None
        answers.changed = True
        answers.doubt.close(concerns_all=True)
        often = f"{IN_A_ROW} in a row" if in_a_row >= IN_A_ROW else f"{in_the_window} of the last {WINDOW}"
        if in_a_row >= IN_A_ROW and len(answers.digests) == 1:
            often += f", each the same {len(body)} bytes"
        return f"{kind.value} {evidence.value} ({often})"

    def doubt(self, kind: Kind) -> Doubt:
        """Return the doubt that is closed by the next answers of this kind."""
        return self._kinds[kind].doubt

    def next_probe_s(self, kind: Kind) -> int:
        """Return how long to wait before the next look at a kind that has changed."""
        answers = self._kinds[kind]
        answers.probes += 1
        return PROBES_S[min(answers.probes, len(PROBES_S)) - 1]


class CoreFields:
    """Notices a core field that nearly every record lacks, in three answers in a row."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, Counter[str]]] = deque(maxlen=IN_A_ROW)
        self._told: set[str] = set()

    def read(self, records: Sequence[Record], oddities: dict[str, int]) -> list[str]:
        """Take in an answer; return the fields that are newly found to be missing, each once in a run."""
        if len(records) < LEAST_ROWS:
            return []
        if sum(oddities.values()) < NOTED_SHARE * len(records):
            self._recent.clear()
            return []
        lacks = Counter(name for record in records for name in CORE_FIELDS if _lacks(record, name))
        self._recent.append((len(records), lacks))
        if len(self._recent) < IN_A_ROW or sum(rows for rows, _ in self._recent) < NOTED_ROWS:
            return []
        found = [
            name
            for name in CORE_FIELDS
            if name not in self._told and all(lacks[name] >= NOTED_SHARE * rows for rows, lacks in self._recent)
        ]
        self._told.update(found)
        return found


def _lacks(record: Record, name: str) -> bool:
    return record.get(name) is None and (name in _NEVER_NULL or name not in record)
