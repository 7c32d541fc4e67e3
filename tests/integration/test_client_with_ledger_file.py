"""The client on the ledger file that all processes of a user share: two floors that never import each other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harvester.clock import DAY_US, Stop
from harvester.freesound.ledger import FileLedger
from harvester.freesound.quota import Limits
from tests.support.client import fetch_many, make_client, sandbox_at
from tests.support.fake_transport import SandboxTransport
from tests.support.virtual_time import VirtualClock, run_virtual


def test_two_runs_with_the_same_key_spend_one_quota_and_a_third_knows_it(tmp_path: Path) -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = SandboxTransport(sandbox_at(clock, burst=20, daily=50), clock)
        stops = [Stop(), Stop(), Stop()]
        ledgers = [FileLedger("https://x/", "abc", tmp_path) for _ in stops]
        clients = [
            make_client(transport, clock, ledger=ledger, stop=stop, limits=Limits(20, 50))
            for ledger, stop in zip(ledgers, stops, strict=True)
        ]
        answered = await asyncio.gather(*(fetch_many(client, 40, 2) for client in clients[:2]))
        assert sum(answered) == 50
        assert transport.statuses() == [200] * 50
        assert await fetch_many(clients[2], 5) == 0
        assert all(stop.reason.startswith("quota used up, next request possible at") for stop in stops)
        assert 0 < clients[2].quota_free_at() - clock.time_us() < DAY_US
        for ledger in ledgers:
            ledger.close()

    run_virtual(main())
