"""Whole harvests in virtual time: the real client and ring against the sandbox's own throttle, no socket, no disk."""

from __future__ import annotations

from random import Random

import pytest

from harvester.clock import Stop
from harvester.freesound.client import FreesoundClient
from harvester.freesound.quota import LEVELS, MemoryLedger
from harvester.pipeline.harvest import Harvest, Plan
from harvester.pipeline.progress import Progress
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from tests.support.fake_transport import SandboxTransport
from tests.support.virtual_time import VirtualClock, run_virtual
from tests.support.world import MemoryStore

CATALOGUE = GeneratedCatalogue(2_000, 7)


@pytest.mark.parametrize("latency_s", [0.02, 0.4, 2.0])
def test_two_hundred_samples_at_the_default_limits_see_not_one_429(latency_s: float) -> None:
    async def main() -> tuple[list[int], float, int]:
        clock, stop = VirtualClock(), Stop()
        transport = SandboxTransport(Sandbox(CATALOGUE, clock=clock), clock, latency_s=latency_s)
        store = MemoryStore()
        client = FreesoundClient(
            transport, clock=clock, stop=stop, ledger=MemoryLedger(), limits=LEVELS[1], rng=Random(1)
        )
        plan = Plan(target=200, concurrency=8)
        ring = Harvest(plan, store, client, clock=clock, stop=stop, progress=Progress(clock, 200))
        assert await ring.run() == "target reached"
        return transport.statuses(), clock.monotonic_s(), len(store.state.processed)

    statuses, took_s, samples = run_virtual(main())
    assert samples == 200
    assert statuses == [200] * 201
    # 59 a minute; a slot frees only when its answer came, so each window lasts a round trip longer.
    windows = 201 / 59
    assert took_s < windows * (60 + 2 * latency_s) + 4 * latency_s + 5
