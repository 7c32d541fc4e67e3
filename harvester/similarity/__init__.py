"""Lists of similar sounds computed from vectors at home, and compared with the server's own."""

from __future__ import annotations

from harvester.similarity.link import LinkReport, link_library
from harvester.similarity.verify import ASKED, Agreement, choose_sounds, compare
