"""Export a library to other formats, and credit its sounds."""

from __future__ import annotations

from harvester.exports.arrow_table import ArrowTable, edges_table, sounds_table
from harvester.exports.credits import CREDIT_FORMATS, encode_credits, list_credits
from harvester.exports.export import FORMATS, STREAMS, XML_FORMATS, check_place, save_export, text_chunks
