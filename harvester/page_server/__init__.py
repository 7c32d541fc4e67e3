"""Serve a library's page to this machine only, read-only."""

from __future__ import annotations

from harvester.page_server.server import Served, serving
