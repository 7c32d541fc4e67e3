"""Decide whether the API has changed the shape of its answers.

The API has changed when the same evidence comes three times in a row, each for another request, or ten times in the
last twenty answers. A usable or empty answer resets the streak, not the window. Answers of one or two rows are no
evidence.
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
"""Delays before successive probes after the API changed, in s; the last repeats."""
KEPT_BODY_BYTES = 64 * 1024
"""Maximum bytes kept of an unusable answer."""
MISSING_ROWS = 50
MISSING_SHARE = 0.9
"""Report a core field that this share of at least `MISSING_ROWS` records lacks."""
_NEVER_NULL = frozenset(CORE_FIELDS) - {"category", "subcategory", "geotag", "bitdepth", "bitrate", "pack"}


class Kind(Enum):
    """What a request fetches; messages show the value."""

    SIMILAR = "similar lists"
    SEARCH = "search results"
    SOUND = "records of single sounds"
    IDENTITY = "first answers"


class Evidence(Enum):
    """Why an answer is unusable; the value completes "similar lists …"."""

    NOT_OBJECT = "are not JSON objects"
    NO_RESULTS = "come without a list of `results`"
    NO_ID = "come without a valid `id` in any row"
    NO_SCORE = "come without a valid `score` in any row"
    EMPTY = "come without rows although `count` is not 0"
    ALL_NULL = "come with nothing but null rows"


class Unusable(FetchFailed):
    """The JSON of an answer with status 200 has an unexpected shape."""

    def __init__(self, evidence: Evidence, body: bytes) -> None:
        super().__init__(f"unusable answer: such answers {evidence.value}", body[:KEPT_BODY_BYTES])
        self.evidence = evidence


def evidence_of(answer: object, *, first_page: bool) -> Evidence | bool:
    """Return why an answer is unusable.

    True: it is usable. False: it proves nothing.
    """
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
    """Watches the answers of one run, each kind by itself."""

    def __init__(self) -> None:
        self._kinds = {kind: _Answers() for kind in Kind}

    def usable(self, kind: Kind) -> None:
        """Note a usable or empty answer: earlier failures concern one sound."""
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
        """Note an unusable answer; once certain, return what has changed.

        Repetitions of one request count only for a search, which is retried, and there not for null rows: a page of
        deleted sounds stays the same.
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
        frequency = f"{IN_A_ROW} in a row" if in_a_row >= IN_A_ROW else f"{in_the_window} of the last {WINDOW}"
        if in_a_row >= IN_A_ROW and len(answers.digests) == 1:
            frequency += f", each the same {len(body)} bytes"
        return f"{kind.value} {evidence.value} ({frequency})"

    def doubt(self, kind: Kind) -> Doubt:
        """Return the doubt that the next answers of this kind close."""
        return self._kinds[kind].doubt

    def next_probe_s(self, kind: Kind) -> int:
        """Return the seconds to wait before the next probe of a kind."""
        answers = self._kinds[kind]
        answers.probes += 1
        return PROBES_S[min(answers.probes, len(PROBES_S)) - 1]


class CoreFields:
    """Finds core fields that nearly all records lack."""

    def __init__(self) -> None:
        self._recent: deque[tuple[int, Counter[str]]] = deque(maxlen=IN_A_ROW)
        self._reported: set[str] = set()

    def read(self, records: Sequence[Record], oddities: dict[str, int]) -> list[str]:
        """Note an answer; return missing fields, each once in a run."""
        if len(records) < LEAST_ROWS:
            return []
        if sum(oddities.values()) < MISSING_SHARE * len(records):
            self._recent.clear()
            return []
        lacks = Counter(name for record in records for name in CORE_FIELDS if _lacks(record, name))
        self._recent.append((len(records), lacks))
        if len(self._recent) < IN_A_ROW or sum(rows for rows, _ in self._recent) < MISSING_ROWS:
            return []
        found = [
            name
            for name in CORE_FIELDS
            if name not in self._reported and all(lacks[name] >= MISSING_SHARE * rows for rows, lacks in self._recent)
        ]
        self._reported.update(found)
        return found


def _lacks(record: Record, name: str) -> bool:
    return record.get(name) is None and (name in _NEVER_NULL or name not in record)
