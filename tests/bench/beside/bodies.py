"""A server of bodies encoded beforehand, in a process of its own: nothing of its work is on the client's bill.

It asks the sandbox once for each request it has not seen, and gives the same bytes ever after; the first run warms it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harvester.clock import SystemClock
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from tests.support.processes import KEY, ROOT


class Replay(asyncio.Protocol):
    """Answers a GET with kept bytes; knows no more of HTTP than a client of ours needs."""

    sandbox: Sandbox
    kept: dict[bytes, bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while b"\r\n\r\n" in self._rest:
            head, _, self._rest = self._rest.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1]
            answer = self.kept.get(target)
            if answer is None:
                answer = self.kept[target] = self._ask(target.decode())
            self._transport.write(answer)

    def _ask(self, target: str) -> bytes:
        reply = self.sandbox.respond("GET", target, {"Authorization": f"Token {KEY}"})
        headers = dict(reply.headers) | {"Content-Length": str(len(reply.body))}
        lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        return f"HTTP/1.1 {reply.status} OK\r\n{lines}\r\n".encode() + reply.body


async def serve(sounds: int) -> None:
    Replay.sandbox = Sandbox(GeneratedCatalogue(sounds, 7), clock=SystemClock(), tokens=(KEY,), burst=None, daily=None)
    Replay.kept = {}
    server = await asyncio.get_running_loop().create_server(Replay, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/apiv2/", flush=True)
    await server.serve_forever()


@contextmanager
def bodies_process(sounds: int) -> Iterator[str]:
    """Serve on loopback for as long as the context lasts; gives the API's address."""
    command = [sys.executable, "-m", "tests.bench.beside.bodies", str(sounds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
