"""Compute relations between sounds from their records, offline."""

from __future__ import annotations

from harvester.relations.relate import BY, KindReport, RelationBounds, Relations, find_relations
