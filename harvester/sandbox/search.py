"""Answer list requests: their parameters, hits, pages and links.

Invariant: the order of hits is a function of the request alone, so pages neither overlap nor leave gaps.
Raises `Refused` with the server's own answer; knows nothing of keys, limits or faults.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import orjson

from harvester.library_source import MADE_UP_SITE
from harvester.sandbox.catalogue import DIMENSIONS, SORTS, Catalogue, Neighbour
from harvester.sandbox.reply import MALFORMED, Reply, detail, html, solr_refused, sorting_target_refused
from harvester.sandbox.rewriting import rewrite
from harvester.sandbox.solr_fields import in_sort_order, pack_grouping, words_of
from harvester.sandbox.solr_filter import FilterError, read_filter

PAGE_SIZE, MAX_PAGE_SIZE = 15, 150
_SAFE_IN_LINKS = ",:[]*+()'"
_REMEMBERED = 32
_REMEMBERED_HITS = 20_000
_WEIGHTS = (("name", 2), ("description", 3), ("username", 1), ("pack_name", 2), ("id", 4))
_FORM = frozenset(
    ("query", "filter", "sort", "page", "page_size", "fields", "group_by_pack", "weights", "similar_to",
     "similarity_space")
)  # fmt: skip

Hits = Sequence[int] | Sequence[Neighbour]


class Refused(Exception):
    """The server answers the request with an error, which is `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Form:
    """The parameters of a list request, read as the server reads them.

    `query` and `filter` are as they stand in links: the server decodes both once more before it uses them.
    """

    query: str
    filter: str
    sort: str
    page: int
    page_size: int
    fields: str
    group_by_pack: bool
    weights: str
    similar_to: str
    similarity_space: str
    is_search: bool

    @property
    def space(self) -> str:
        """The similarity space of the request, or the server's default."""
        return self.similarity_space or "laion_clap"

    @property
    def index_query(self) -> str:
        """The filter as the index receives it."""
        return rewrite(self.filter) if self.filter else ""

    def link(self, path: str, page: int) -> str:
        """Return a page's address as the server writes it, without the token."""
        parts = [("query", self.query)] if self.is_search else []
        parts += [("filter", self.filter)] if self.filter and self.is_search else []
        parts += [("weights", self.weights)] if self.is_search else []
        parts += [("sort", self.sort)] if self.sort != "score" else []
        parts += [("page", str(page))]
        parts += [("page_size", str(self.page_size))] if self.page_size != PAGE_SIZE else []
        parts += [("fields", self.fields)] if self.fields else []
        parts += [("group_by_pack", "1")] if self.group_by_pack else []
        parts += [("similar_to", self.similar_to)] if self.similar_to else []
        parts += [("similarity_space", self.similarity_space)] if self.similarity_space else []
        return f"{MADE_UP_SITE}{path}?" + "".join(
            f"&{name}={quote(value, safe=_SAFE_IN_LINKS)}" for name, value in parts
        )


def read_form(params: Mapping[str, str], *, similar_to: int | None = None) -> Form:
    """Return the form of a search or of `similar_to`; raise `Refused`."""
    is_search = similar_to is None
    # The server's form strips every text; it reads `fields` again, unstripped, when it makes rows.
    texts = {name: text.strip() for name, text in params.items() if name in _FORM}
    if any("\0" in text for text in texts.values()):
        raise Refused(detail(400, MALFORMED))
    if is_search and "filter" in params and not texts["filter"]:
        raise Refused(detail(400, "Invalid filter."))
    sort = texts.get("sort", "")
    if ":" in sort:
        raise Refused(sorting_target_refused(sort, is_search=is_search))
    query = texts.get("query", "") if is_search else ""
    return Form(
        query="" if _is_blank(query) else query,
        filter=texts.get("filter", "") if is_search else "",
        sort=sort if sort in SORTS else "score",
        page=_whole(texts.get("page"), 1),
        page_size=min(_whole(texts.get("page_size"), PAGE_SIZE), MAX_PAGE_SIZE),
        fields=texts.get("fields", ""),
        group_by_pack=is_search and texts.get("group_by_pack") == "1",
        weights=texts.get("weights", ""),
        similar_to=texts.get("similar_to", "") if is_search else str(similar_to),
        similarity_space=texts.get("similarity_space", ""),
        is_search=is_search,
    )


def _is_blank(query: str) -> bool:
    return not unquote(query).replace('"', "").strip() or not query.replace("'", "").strip()


class Search:
    """Searches one catalogue, with a cache of the last few searches' hits."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: OrderedDict[tuple[object, ...], Hits] = OrderedDict()

    def hits(self, form: Form, now_s: int) -> Hits:
        """Return a form's hits in order: ids, or (id, score) with scores."""
        key = (form.query, form.filter, form.sort, form.similar_to, form.space, form.is_search)
        found = self._known.get(key)
        if found is None:
            found = self._similar(form, now_s) if form.similar_to else self._textual(form, now_s)
            if "NOW" not in form.index_query and len(found) <= _REMEMBERED_HITS:
                self._known[key] = found
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return found

    def grouped(self, hits: Hits) -> tuple[list[int], dict[int, tuple[str, int]]]:
        """Return hits by pack: each pack's first, and all without a pack.

        The second value has (pack, number of hits) for each kept hit whose pack has more than one.
        """
        first: dict[str, int] = {}
        sizes: dict[str, int] = {}
        kept = []
        for hit in hits:
            sound_id = hit if isinstance(hit, int) else hit[0]
            pack = pack_grouping(self._catalogue.record(sound_id) or {})
            if not pack or pack not in first:
                kept.append(sound_id)
            if pack:
                first.setdefault(pack, sound_id)
                sizes[pack] = sizes.get(pack, 0) + 1
        return kept, {sound_id: (pack, sizes[pack]) for pack, sound_id in first.items() if sizes[pack] > 1}

    def _similar(self, form: Form, now_s: int) -> Hits:
        found = self._neighbours(form)
        if form.index_query:
            accepts, _ = self._accepts(form, now_s)
            found = [hit for hit in found if accepts(hit[0])]
        if form.sort == "score":
            return found
        scores = dict(found)
        return [(sound_id, scores[sound_id]) for sound_id in self._sorted(list(scores), form.sort)]

    def _neighbours(self, form: Form) -> list[Neighbour]:
        if form.space not in DIMENSIONS:
            return []
        text = form.similar_to
        if not text.startswith("["):
            if not re.fullmatch(r"-?\d{1,4000}", text):
                raise Refused(detail(400, "The 'similar_to' parameter is not a valid sound ID"))
            return self._catalogue.neighbours(int(text), form.space)
        try:
            vector = [float(number) for number in orjson.loads(text)]
        except (orjson.JSONDecodeError, TypeError, ValueError):
            raise Refused(detail(400, "The 'similar_to' parameter is not a valid serialized vector")) from None
        return self._catalogue.nearest(vector, form.space)

    def _textual(self, form: Form, now_s: int) -> Hits:
        words = unquote(form.query).replace('"', " ").replace("'", " ").split()
        is_filtered = bool(form.index_query.strip())
        if not is_filtered and not words:
            return self._catalogue.ordered(form.sort)
        accepts, sound_ids = self._accepts(form, now_s) if is_filtered else (None, None)
        if sound_ids is not None and accepts is not None:
            known = [one for one in sound_ids if self._catalogue.record(one) is not None and accepts(one)]
            ordered: Sequence[int] = self._sorted(known, form.sort)
        else:
            order = self._catalogue.ordered(form.sort)
            ordered = [one for one in order if accepts(one)] if accepts is not None else order
        if not words:
            return ordered
        wanted = [word for text in words if not text.startswith("-") for word in words_of(text)]
        unwanted = {word for text in words if text.startswith("-") for word in words_of(text)}
        scored = [(one, self._relevance(one, wanted, unwanted)) for one in ordered]
        found = [(one, score) for one, score in scored if score > 0]
        if form.sort == "score":
            found.sort(key=lambda hit: -hit[1])
        return found

    def _relevance(self, sound_id: int, wanted: list[str], unwanted: set[str]) -> float:
        record = self._catalogue.record(sound_id) or {}
        tags = record.get("tags") or ()
        # Splitting texts into words is slow: a substring test on the plain text rules out most sounds first.
        plain = " ".join(map(str, (*tags, *(record.get(name) for name, _ in _WEIGHTS)))).lower()
        if any(word not in plain for word in wanted):
            return 0.0
        weights: dict[str, float] = {}
        for tag in tags:
            for word in words_of(tag):
                weights[word] = 4.0
        for name, weight in _WEIGHTS:
            for word in words_of(record.get(name)):
                weights[word] = weights.get(word, 0.0) + weight
        if any(word not in weights for word in wanted) or any(word in weights for word in unwanted):
            return 0.0
        return round(sum(min(weights[word], 20.0) for word in wanted), 4) or 1.0

    def _accepts(self, form: Form, now_s: int) -> tuple[Callable[[int], bool], frozenset[int] | None]:
        try:
            parsed = read_filter(form.index_query, now_s, of_parents=bool(form.similar_to))
        except FilterError as problem:
            raise Refused(solr_refused(str(problem), is_search=True, code=problem.code)) from None
        catalogue, matches = self._catalogue, parsed.matches
        if not parsed.described:
            return lambda sound_id: matches(catalogue.record(sound_id) or {}), parsed.sound_ids

        def accepts(sound_id: int) -> bool:
            return matches({**(catalogue.record(sound_id) or {}), **catalogue.descriptors(sound_id)})

        return accepts, parsed.sound_ids

    def _sorted(self, sound_ids: list[int], sort: str) -> list[int]:
        return in_sort_order(sound_ids, sort, lambda sound_id: self._catalogue.record(sound_id) or {})


def page_of(form: Form, hits: Hits) -> Hits:
    """Return the hits of the form's page; raise `Refused` if none exists."""
    if not form.is_search and form.page_size <= 0:
        raise Refused(html(500))
    if form.page < 1 or form.page_size < 1 or (len(hits) and (form.page - 1) * form.page_size >= len(hits)):
        raise Refused(detail(404, "Not found"))
    return hits[(form.page - 1) * form.page_size : form.page * form.page_size]


def _whole(text: str | None, otherwise: int) -> int:
    try:
        return int(text or "")
    except ValueError:
        return otherwise
