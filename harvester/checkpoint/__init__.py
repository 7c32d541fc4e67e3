"""Encode a library's state as a checkpoint, and decode untrusted bytes.

`FORMAT.md` is the format.
"""

from __future__ import annotations

from harvester.checkpoint._validate_content import ContentReader
from harvester.checkpoint.changes import ListFacts, RecordFacts, walk_changes
from harvester.checkpoint.files import (
    LARGEST_BYTES,
    CheckpointInfo,
    Signature,
    check_readable,
    copying_from,
    holds_segments,
    load_checkpoint,
    load_digest,
    load_given,
    packed_elsewhere,
    read_signature,
    store_checkpoint,
    store_open_checkpoint,
    verify_checkpoint,
    verify_written,
)
from harvester.checkpoint.format import (
    Decoded,
    Encoded,
    begins_as_checkpoint,
    decode_checkpoint,
    digest_of,
    encode_checkpoint,
    metadata_of,
)
from harvester.checkpoint.layout import latest_stamp
from harvester.checkpoint.record_segments import RecordSegment, checked_attributes, read_segment
from harvester.checkpoint.segments import Segments
from harvester.checkpoint.stream import decode_pickle, digest_in
from harvester.checkpoint.validate import version_for
from harvester.checkpoint.walk import Verified
