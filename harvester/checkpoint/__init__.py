"""A library as one file: how a state becomes bytes, and untrusted bytes a state. `FORMAT.md` says what is in it."""

from __future__ import annotations

from harvester.checkpoint.files import (
    LARGEST_BYTES,
    CheckpointInfo,
    Signature,
    check_readable,
    load_checkpoint,
    load_digest,
    packed_elsewhere,
    read_signature,
)
from harvester.checkpoint.format import (
    Decoded,
    Encoded,
    decode_checkpoint,
    decode_pickle,
    digest_of,
    encode_checkpoint,
    metadata_of,
)

__all__ = [
    "CheckpointInfo",
    "Decoded",
    "Encoded",
    "LARGEST_BYTES",
    "Signature",
    "check_readable",
    "decode_checkpoint",
    "decode_pickle",
    "digest_of",
    "encode_checkpoint",
    "load_checkpoint",
    "load_digest",
    "metadata_of",
    "packed_elsewhere",
    "read_signature",
]
