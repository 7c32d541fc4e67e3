"""Floor 3: the ring that a sound walks once: frontier, fetchers, outcomes, the one writer, and back."""

from __future__ import annotations

from harvester.pipeline.fetcher import Search
from harvester.pipeline.frontier import EXHAUSTED
from harvester.pipeline.harvest import Harvest, Plan
from harvester.pipeline.order import ORDERS
from harvester.pipeline.progress import Progress
from harvester.pipeline.stale import Refresh
from harvester.pipeline.sweep import MOST_WITHOUT_PERMISSION

__all__ = ["EXHAUSTED", "Harvest", "MOST_WITHOUT_PERMISSION", "ORDERS", "Plan", "Progress", "Refresh", "Search"]
