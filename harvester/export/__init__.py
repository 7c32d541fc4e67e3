"""Export a library to other formats, and credit its sounds."""

from __future__ import annotations

from harvester.export.credits import CREDIT_FORMATS, encode_credits, list_credits
from harvester.export.export import FORMATS, STREAMS, XML_FORMATS, check_place, save_export, text_chunks
