"""Compute similar lists from vectors; compare them with the server's."""

from __future__ import annotations

from harvester.similarity.link import LinkReport, link_library
from harvester.similarity.nearest import Nearest, find_like, nearest_within, open_table
from harvester.similarity.neighbourhood import Neighbourhood, find_neighbourhood
from harvester.similarity.vector_table import Table
from harvester.similarity.verify import Agreement, choose_sounds, compare
