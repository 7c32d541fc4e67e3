"""Report on a library: counts, plans, searches, one sound, plots."""

from __future__ import annotations

from harvester.reports.find import describe_hit, find_sounds, matching_sounds
from harvester.reports.plan import Allowance, Wish, describe_plan
from harvester.reports.plots import save_plots
from harvester.reports.sound import describe_sound
from harvester.reports.status import (
    count_library,
    describe_content,
    describe_tally,
    list_deferred,
)
