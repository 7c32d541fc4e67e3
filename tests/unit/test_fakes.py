"""Fakes and the real things fulfil the same protocols: mypy checks the tables, the test checks the signatures."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from harvester.checkpoint import CheckpointInfo
from harvester.clock import Clock, SystemClock
from harvester.freesound.client import FreesoundClient
from harvester.freesound.ledger import FileLedger
from harvester.freesound.quota import Ledger, MemoryLedger
from harvester.freesound.transport import AiohttpTransport
from harvester.freesound.wire import Transport
from harvester.library.store import Store
from harvester.pipeline.ports import Checkpointed, SoundApi, SoundStore
from tests.support.fake_transport import SandboxTransport, Scripted
from tests.support.samples import FixedClock
from tests.support.virtual_time import VirtualClock
from tests.support.world import MemoryCheckpoint, MemoryStore, World

APIS: tuple[type[SoundApi], ...] = (World, FreesoundClient)
STORES: tuple[type[SoundStore], ...] = (MemoryStore, Store)
CHECKPOINTS: tuple[type[Checkpointed], ...] = (MemoryCheckpoint, CheckpointInfo)
CLOCKS: tuple[type[Clock], ...] = (VirtualClock, FixedClock, SystemClock)
TRANSPORTS: tuple[type[Transport], ...] = (SandboxTransport, Scripted, AiohttpTransport)
LEDGERS: tuple[type[Ledger], ...] = (MemoryLedger, FileLedger)


def pairs() -> Iterator[tuple[type, type]]:
    tables = {SoundApi: APIS, SoundStore: STORES, Clock: CLOCKS, Transport: TRANSPORTS, Ledger: LEDGERS}
    for protocol, implementations in tables.items():
        yield from ((protocol, one) for one in implementations)


def methods_of(protocol: type) -> list[str]:
    return [name for name, one in vars(protocol).items() if inspect.isfunction(one) and not name.startswith("_")]


def parameters_of(owner: type, method: str, *, defaults: bool) -> list[tuple[object, ...]]:
    """Return name and kind of each parameter, and its default; types are mypy's business."""
    parameters = inspect.signature(getattr(owner, method)).parameters.values()
    return [(one.name, one.kind, one.default if defaults else None) for one in parameters]


@pytest.mark.parametrize(("protocol", "implementation"), list(pairs()), ids=lambda one: one.__name__)
def test_a_method_has_the_parameters_that_its_protocol_declares(protocol: type, implementation: type) -> None:
    # A real class may have defaults for its other callers; a test must not lean on those of a fake.
    is_fake = implementation.__module__.startswith("tests.")
    methods = methods_of(protocol)
    assert methods
    for method in methods:
        found, declared = (parameters_of(owner, method, defaults=is_fake) for owner in (implementation, protocol))
        assert found == declared, f"{implementation.__name__}.{method}"
