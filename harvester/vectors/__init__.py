"""The similarity vectors of sounds, in a file beside the library."""

from __future__ import annotations

from harvester.vectors.format import HEADER_BYTES, Header, encode_header
from harvester.vectors.store import VectorContents, Vectors, count_vectors, load_header, load_vectors
