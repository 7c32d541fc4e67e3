"""Turns are short while somebody works long beside others, and as they were afterwards."""

from __future__ import annotations

import sys

import pytest

from harvester.checkpoint._gil import TURN_S, short_turns
from harvester.checkpoint.format import encode_checkpoint
from tests.support.samples import make_events, make_state


def test_turns_are_short_until_the_last_one_leaves_and_then_as_before() -> None:
    usual_s = sys.getswitchinterval()
    first, second = short_turns(), short_turns()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(TURN_S)
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(usual_s)


def test_turns_are_as_before_when_a_checkpoint_is_left_half_written() -> None:
    usual_s = sys.getswitchinterval()
    chunks = encode_checkpoint(make_state(make_events(300)))
    next(chunks)
    assert sys.getswitchinterval() == pytest.approx(TURN_S)
    chunks.close()
    assert sys.getswitchinterval() == pytest.approx(usual_s)
