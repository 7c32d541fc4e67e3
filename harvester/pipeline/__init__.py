"""The pipeline of a harvest: frontier, fetchers, outcomes, writer."""

from __future__ import annotations

from harvester.extension_points import ORDERS
from harvester.pipeline.deferral import ABSENT, holds_back, wait_after_absence, wait_after_failure
from harvester.pipeline.frontier import EXHAUSTED, NO_HITS
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.order import Order, by_distance, by_downloads, by_hash, load_order
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.pipeline.stale import Refresh
from harvester.pipeline.sweep import MOST_WITHOUT_PERMISSION
