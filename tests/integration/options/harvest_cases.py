"""What the options of `harvest` are for: which sounds, in which order, how many at once."""

from __future__ import annotations

from typing import Any
from unittest import mock

from harvester.library.store import Store
from harvester.model import Linked
from tests.integration.options.place import Place
from tests.integration.options.table import proves
from tests.support.hostile_server import HostileServer, body
from tests.support.processes import sandbox_process

ONE = ("--samples", 1, "--library", "new")
SEED = 1001
"""A sound that every sandbox of the tests has."""


@proves("harvest", "--library")
def _the_library_is_written_there(place: Place) -> None:
    place.ask("--samples", 1, given="a/folder")
    assert len(place.processed("a/folder")) == 1
    assert not (place.folder / "sandbox_library").exists()


@proves("harvest", "--seed")
def _it_starts_from_these_sounds(place: Place) -> None:
    seeds = sorted(place.state("grown").graph)[:2]
    place.ask("--samples", 2, "--library", "new", given=seeds)
    assert place.processed("new") == set(seeds)


@proves("harvest", "--query")
def _it_starts_from_hits_of_the_search(place: Place) -> None:
    place.ask(*ONE, given="drum")
    assert place.requests()[0].query["query"] == "drum"


PRESETS: dict[str, tuple[Any, str]] = {
    "--filter": ("samplerate:44100", "samplerate:44100"),
    "--cc0": (True, 'license:"Creative Commons 0"'),
    "--by": (True, 'license:"Attribution"'),
    "--max-duration": ("7s", "duration:[0 TO 7]"),
    "--tag": (["rain", "c++"], 'tag:"rain" tag:"c\\+\\+"'),
    "--type": (["wav", "flac"], 'type:("wav" OR "flac")'),
}


@proves("harvest, plan", *PRESETS)
def _the_search_holds_the_filter(place: Place) -> None:
    value, _ = PRESETS[place.option]
    place.ask("--samples", 1, *(() if place.command == "plan" else ("--library", "new")), given=value)
    assert place.requests()[0].query["filter"] == PRESETS[place.option][1]


@proves("harvest", "--sweep")
def _it_collects_every_hit_by_pages_of_150(place: Place) -> None:
    place.ask("--filter", "duration:[0 TO *]", "--samples", 0, "--library", "new", given=True)
    requests = place.requests()
    assert [(one.path, one.query["page_size"]) for one in requests] == [("/apiv2/search/", "150")] * 2
    assert len(place.load("new")["graph"]) == 300


@proves("harvest", "--vectors")
def _a_sweep_brings_the_vectors(place: Place) -> None:
    place.ask("--filter", "duration:[0 TO *]", "--sweep", "--library", "new", given="freesound_classic")
    assert "freesound_classic" in place.requests()[0].query["fields"]
    assert (place.folder / "new" / "freesound_library.vectors").stat().st_size > 300 * 100


@proves("harvest, plan", "--ids")
def _it_takes_the_sounds_of_a_list(place: Place) -> None:
    (place.folder / "list.txt").write_text(f"{SEED}\nhttps://freesound.org/s/900001/\n", encoding="utf-8")
    told = place.ask("--library", "new", given="list.txt").err
    assert "list.txt: 2 rows gave 2 ids: links and numbers in its lines" in told
    if place.command == "harvest":
        assert [one.query["filter"] for one in place.requests()] == [f"id:({SEED} OR 900001)"]
        assert set(place.load("new")["sound_cache"]) == {SEED}
    else:
        assert place.requests() == []


@proves("harvest, plan", "--column")
def _the_ids_are_in_this_column(place: Place) -> None:
    (place.folder / "list.csv").write_text(f"id,mine\n1,{SEED}\n", encoding="utf-8")
    told = place.ask("--library", "new", "--ids", "list.csv", given="mine").err
    assert "list.csv: 1 row gave 1 id: numbers in the column mine" in told


@proves("harvest", "--missing")
def _the_missing_sounds_are_listed_there(place: Place) -> None:
    (place.folder / "list.txt").write_text(f"{SEED}\n900001\n", encoding="utf-8")
    place.ask("--library", "new", "--ids", "list.txt", given="gone.csv")
    assert (place.folder / "gone.csv").read_text(encoding="utf-8") == "id,why\n900001,not found\n"
    assert not (place.folder / "new" / "missing.csv").exists()


@proves("harvest, plan", "--user")
def _the_sounds_of_a_user_are_swept(place: Place) -> None:
    place.ask("--library", "new", given=["niñosounds", 'a "b'] if place.source != "environment" else ["niñosounds"])
    assert place.requests()[0].query["filter"] in ('username:("niñosounds" OR "a \\"b")', 'username:"niñosounds"')


@proves("harvest, plan", "--pack")
def _the_sounds_of_a_pack_are_swept(place: Place) -> None:
    place.ask("--library", "new", given=[1000, 1001])
    assert place.requests()[0].query["filter"] == "pack_grouping:(1000_* OR 1001_*)"


@proves("harvest", "--i-have-permission")
def _a_sweep_of_more_than_50_000_needs_the_word(place: Place) -> None:
    with HostileServer({"search": body(lambda answer: {**answer, "count": 60_000})}) as server:
        sweep = ("--sweep", "--query", "a", "--samples", 0, "--max-requests", 2)
        base = ("--api-url", server.url, "--level", 99, *sweep)
        assert "--i-have-permission" in place.run(*base, "--library", "without", code=2).err
        assert "2 requests sent" in place.run(*base, "--library", "with", given=True).err


@proves("harvest", "--samples")
def _it_adds_so_many_samples(place: Place) -> None:
    place.ask("--library", "new", given=4)
    assert len(place.processed("new")) == 4


@proves("harvest, refresh", "--neighbours")
def _a_list_is_so_long(place: Place) -> None:
    more = ("--samples", 1) if place.command == "harvest" else ("--links", "--limit", 1, "--older-than", "0s")
    place.ask(*more, "--library", "grown", given=11)
    assert [one.query["page_size"] for one in place.requests() if one.sound_id] == ["11"]


def _order(place: Place, name: str, *arguments: object, given: Any = None) -> list[int]:
    place.requests()
    fixed = ("--seed", SEED, "--samples", 4, "--neighbours", 20, "--concurrency", 1, "--library", name)
    place.ask(*fixed, *arguments, given=given)
    return place.lists()


@proves("harvest", "--order")
def _the_next_sound_is_as_wanted(place: Place) -> None:
    breadth = _order(place, "breadth", given="breadth")
    graph = place.load("breadth")["graph"]
    assert breadth == [SEED, *sorted(graph[SEED])[:3]]
    popular = _order(place, "popular", given="popular")
    records = place.load("popular")["sound_cache"]
    first = list(place.load("popular")["graph"][SEED])
    assert popular[1] == max(first, key=lambda one: (records[one]["num_downloads"], -one))
    assert popular != breadth
    assert _order(place, "random", given="random") not in (popular, breadth)


@proves("harvest", "--random-seed")
def _a_random_order_repeats_for_the_same_seed(place: Place) -> None:
    drawn = [_order(place, f"try{at}", "--order", "random", given=seed) for at, seed in enumerate((5, 5, 6))]
    assert drawn[0] == drawn[1] != drawn[2]


@proves("harvest", "--space")
def _a_new_library_has_the_space(place: Place) -> None:
    place.ask(*ONE, given="freesound_classic")
    assert place.requests()[-1].query["similarity_space"] == "freesound_classic"
    assert place.load("new")["metadata"]["similarity_space"] == "freesound_classic"


@proves("harvest", "--checkpoint-interval")
def _a_commit_holds_at_most_so_many_samples(place: Place) -> None:
    append, commits = Store.append, []

    def counting(store: Store, events: Any, *more: Any, **named: Any) -> Any:
        commits.append(sum(isinstance(event, Linked) for event in events))
        return append(store, events, *more, **named)

    with mock.patch.object(Store, "append", counting):
        place.ask("--samples", 40, "--concurrency", 64, "--library", "usual")
        assert max(commits) > 2, "nothing waited: the case proves nothing"
        commits.clear()
        place.ask("--samples", 40, "--concurrency", 64, "--library", "new", given=2)
    assert max(commits) == 2
    assert sum(commits) == 40


@proves("harvest, refresh", "--commit", "--no-commit")
def _the_library_is_committed_or_not(place: Place) -> None:
    from tests.integration.options.git_place import commits_of

    # Without the option a clone that is set up commits; elsewhere nothing is committed.
    wanted = place.option == "--commit"
    assert commits_of(place, set_up=not wanted, given=True) == (2 if wanted else 1)


@proves("harvest, refresh", "--commit-backups")
def _the_backups_are_committed_too(place: Place) -> None:
    from tests.integration.options.git_place import commits_of, files_of

    assert commits_of(place, set_up=True) == 2
    assert not [name for name in files_of(place) if "_backup_" in name]
    assert commits_of(place, set_up=True, given=True, name="other") == 2
    assert [name for name in files_of(place, "other") if "_backup_" in name]


@proves("harvest", "--forever")
def _it_has_no_target_of_its_own(place: Place) -> None:
    with sandbox_process(place.folder, "--no-throttle", "--sounds", 60) as small:
        base = ("--api-url", small.url, "--level", 99)
        assert "target reached" in place.run(*base, "--library", "fifty").err
        assert "exhausted" in place.run(*base, "--library", "all", given=True).err
    assert [len(place.processed(name)) for name in ("fifty", "all")] == [50, 60]


@proves("harvest", "--extra-fields")
def _the_records_have_these_fields_too(place: Place) -> None:
    place.ask(*ONE, given="bpm,loudness")
    assert place.requests()[-1].query["fields"].split(",")[-3:] != ["bpm", "loudness"]
    records = place.load("new")["sound_cache"].values()
    assert any("bpm" in record for record in records)
    assert any("loudness" in record for record in records)
