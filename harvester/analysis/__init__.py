"""Analyse the graph of a library: communities, centrality, clustering."""

from __future__ import annotations

from harvester.analysis.figures import Degrees, Figures
from harvester.analysis.report import Leading, NamedCommunity, find_leading, largest_communities
from harvester.analysis.selected import measure_selected
