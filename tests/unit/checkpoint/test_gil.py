"""The switch interval is short while a checkpoint is encoded or decoded, and restored afterwards."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

from harvester.checkpoint._gil import SHORT_INTERVAL_S, short_switch_interval
from harvester.checkpoint.format import encode_checkpoint
from tests.support.samples import make_events, make_state


def test_the_interval_is_short_until_the_last_block_ends_and_then_restored() -> None:
    usual_s = sys.getswitchinterval()
    first, second = short_switch_interval(), short_switch_interval()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(SHORT_INTERVAL_S)
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(usual_s)


def test_the_interval_is_restored_when_an_encoding_is_abandoned() -> None:
    usual_s = sys.getswitchinterval()
    chunks = encode_checkpoint(make_state(make_events(300)))
    next(chunks)
    assert sys.getswitchinterval() == pytest.approx(SHORT_INTERVAL_S)
    assert isinstance(chunks, Generator)
    chunks.close()
    assert sys.getswitchinterval() == pytest.approx(usual_s)
