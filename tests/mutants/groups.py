"""Groups of modules where a wrong number costs data, quota or trust, each with the tests near it.

Near tests are fast: a mutant runs those of them that reach its function. So slow properties and processes are left out.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Modules below `harvester/`, and the tests below `tests/unit/` that must notice every change of them."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    """Tests that are left out because they are slow, by the beginnings of their names in full."""


_LEDGER_PROCESSES = (
    "storage/test_lock_and_ledger.py::test_processes_together_never_take_more_than_there_is",
    "storage/test_lock_and_ledger.py::test_another_process_is_refused_by_name_and_free_after_a_kill",
)

_SPLIT_PROPERTIES = (
    "dataset/test_splits.py::test_every_sound_is_in_one_part_with_its_group_in_whatever_order_they_come",
    "dataset/test_splits.py::test_no_part_misses_its_size_by_more_than_a_percent_or_the_largest_author",
    "dataset/test_splits.py::test_no_known_sound_moves_when_the_library_grows",
)

GROUPS = (
    Group(
        "quota",
        ("freesound/quota.py",),
        (
            "freesound/test_quota.py",
            "freesound/test_quota_by_value.py",
            "freesound/test_ledgers.py",
        ),
    ),
    Group(
        "ledger",
        ("freesound/ledger.py",),
        ("storage/test_lock_and_ledger.py", "freesound/test_ledgers.py", "freesound/test_ledger_file.py"),
        _LEDGER_PROCESSES,
    ),
    Group("merge_rules", ("graph/merge_rules.py",), ("graph/test_merge_rules.py", "graph/test_which_wins.py")),
    Group("backups", ("library/backups.py",), ("library/test_backups.py", "library/test_backups_by_value.py")),
    Group(
        "outcomes",
        ("pipeline/outcomes.py",),
        ("pipeline/test_outcomes_by_value.py",),
    ),
    Group("writer", ("pipeline/writer.py",), ("pipeline/test_writer_by_value.py", "pipeline/test_writer.py")),
    Group(
        "deferral",
        ("pipeline/deferral.py",),
        ("pipeline/test_deferral.py", "pipeline/test_outcomes_by_value.py"),
    ),
    Group("outage", ("freesound/outage.py",), ("freesound/test_outage_by_value.py",)),
    Group("scope", ("pipeline/scope.py",), ("pipeline/test_scope_by_value.py", "pipeline/test_filtered_runs.py")),
    Group("stale", ("pipeline/stale.py",), ("pipeline/test_scope_by_value.py", "pipeline/test_stale.py")),
    Group("sweep", ("pipeline/sweep.py",), ("pipeline/test_sweep_by_value.py",)),
    Group("recovery", ("library/recovery.py",), ("library/test_recovery_by_value.py",)),
    Group("restore", ("library/restore.py",), ("library/test_restore_by_value.py",)),
    Group(
        "check",
        ("library/check.py", "library/facts.py", "library/repair.py", "library/presence.py"),
        ("library/test_check_by_value.py",),
    ),
    Group(
        "selection",
        ("graph/selection.py", "graph/words.py", "graph/missing_values.py"),
        (
            "graph/test_selection_by_value.py",
            "graph/test_edges.py",
            "graph/test_words.py",
            "graph/test_missing_values.py",
        ),
    ),
    Group(
        "id_lists",
        ("importing/id_list.py", "importing/id_columns.py"),
        ("importing/test_id_list.py",),
        ("importing/test_id_list.py::test_any_content_gives_a_list_or_one_line",),
    ),
    Group("splits", ("dataset/splits.py",), ("dataset/test_splits.py",), _SPLIT_PROPERTIES),
    Group("credits", ("exports/credits.py",), ("exports/test_credits_by_value.py", "exports/test_credits.py")),
    Group("options", ("cli/options.py",), ("cli/test_options_by_value.py",)),
)
