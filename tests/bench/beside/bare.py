"""The least that a client can do: the same requests in an aiohttp loop that parses each answer and throws it away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import aiohttp
import orjson
from yarl import URL

from harvester.freesound.address import encode_query
from tests.support.processes import KEY

Asked = Sequence[tuple[str, dict[str, str]]]


async def ask_all(url: str, asked: Asked, concurrency: int) -> tuple[float, float]:
    """Return wall and CPU seconds of asking everything."""
    targets = [
        URL(f"{url}{path}?{encode_query(params)}" if params else url + path, encoded=True) for path, params in asked
    ]
    rest: Iterator[URL] = iter(targets)

    async def ask(session: aiohttp.ClientSession) -> None:
        for target in rest:
            async with session.get(target) as response:
                orjson.loads(await response.read())

    async with aiohttp.ClientSession(headers={"Authorization": f"Token {KEY}"}) as session:
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(ask(session))
        return time.perf_counter() - began_s, time.process_time() - began_cpu_s
