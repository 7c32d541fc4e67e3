"""Compute relations between sounds from their records, offline."""

from __future__ import annotations

from harvester.relations.relate import BY, Bounds, KindReport, Relations, find_relations
