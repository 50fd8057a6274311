"""`http`, `quiet` and `get`: requests to ours and to what a team would write instead."""

import asyncio
import hmac
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from math import inf
from pathlib import Path
from time import perf_counter, sleep, time_ns
from typing import Any, NamedTuple

import psutil
from measuring import Beside, Result, medians, percentile
from servers import SECRET
from stores import MakeStore
from traffic import webhooks

CONNECTIONS = 64
SECONDS = 4.0
QUIET_SECONDS = 2.0

_LOOK, _IDLE = 0.5, 0.1
"""Seconds between two looks at a server, and the share of a core up to which it is idle."""

BY_HAND = "by hand, no views"
NODE = "BENCH_NODE"
"""The variable that holds the folder of the server for node.js, with what it needs installed."""

_MOST = 40_000
_PEERS_IN_PYTHON = {BY_HAND: 0.6, "FastAPI": 3.0}
_PEERS = {**_PEERS_IN_PYTHON, "Fastify": 1.5}
"""The other servers, and how many times as many webhooks ours is to answer."""


class Load(NamedTuple):
    """What a number of connections came to: requests a second, and milliseconds of each."""

    rate: float
    p50: float
    p99: float


def http(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure webhooks a second and their p99, over 64 connections.

    Where node.js was asked for, Fastify is measured too: one statement a webhook, on PostgreSQL.
    """
    sent = [signed(body) for body in webhooks(_MOST)]
    wanted = _PEERS if store == "postgres" and NODE in os.environ else _PEERS_IN_PYTHON
    found = _compared(make, ("ours", *wanted), sent, CONNECTIONS, SECONDS)
    ours = found["ours"]
    rates = tuple(Beside(kind, found[kind].rate, at_least=least) for kind, least in wanted.items())
    yield Result("http", store, "webhooks/s", ours.rate, rates)
    p99s = tuple(
        Beside(kind, found[kind].p99, at_most=None if kind == BY_HAND else 1) for kind in wanted
    )
    yield Result("http, p99", store, "ms", ours.p99, p99s)


def quiet(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure the median time of a webhook where one or four come at a time."""
    sent = [signed(body) for body in webhooks(_MOST)]
    for connections in (1, 4):
        found = _compared(make, ("ours", "FastAPI"), sent, connections, QUIET_SECONDS)
        beside = Beside("FastAPI", found["FastAPI"].p50, at_most=1)
        name = f"quiet, p50 at {connections}"
        yield Result(name, store, "ms", found["ours"].p50, (beside,))


def get(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure the median time of a conversation by its id."""
    bodies = webhooks(3_000)
    csids = {_csid(body) for body in bodies} - {None}
    asked = [
        b"GET /v1/conversations/%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % csid
        for csid in csids
        if csid
    ] * 40
    times: dict[str, list[Load]] = {"ours": [], "FastAPI": []}
    for kind, loads in times.items():
        with serving(kind, make()) as server:
            port = server.port
            asyncio.run(_load(port, [signed(body) for body in bodies], 8, 60))
            asyncio.run(asyncio.sleep(1))
            loads += [asyncio.run(_load(port, asked, 1, QUIET_SECONDS)) for _ in range(3)]
    ours, fastapi = (medians(loads, "p50") for loads in times.values())
    yield Result("get, p50", store, "ms", ours, (Beside("FastAPI", fastapi, at_most=1.2),))


def _csid(body: bytes) -> int | None:
    shown = json.loads(body)["data"].get("conversation")
    return shown and shown.get("csid")


def _compared(
    make: MakeStore, kinds: Sequence[str], sent: Sequence[bytes], connections: int, seconds: float
) -> dict[str, Load]:
    found: dict[str, list[Load]] = {kind: [] for kind in kinds}
    for _ in range(3):
        for kind, loads in found.items():
            with serving(kind, make()) as server:
                loads.append(asyncio.run(_load(server.port, sent, connections, seconds)))
    return {
        kind: Load(*(medians(loads, name) for name in Load._fields))
        for kind, loads in found.items()
    }


def signed(body: bytes) -> bytes:
    """Write one request as Dixa sends it; signing it is not what is measured."""
    t = time_ns() // 1_000_000
    v1 = hmac.digest(bytes.fromhex(SECRET), b"%d." % t + body, "sha256").hex()
    head = (
        "POST /webhooks/dixa HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-Dixa-Signature: t={t},v1={v1}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Server(NamedTuple):
    """A server that has started: what that took until it listened, and until it was idle.

    `listening` is in seconds, `processor` in those of a core.
    """

    port: int
    pid: int
    listening: float
    processor: float


@contextmanager
def serving(kind: str, store: str) -> Iterator[Server]:
    """Run a server in a process and a session of its own; yield it once its start is over."""
    program = [sys.executable, str(Path(__file__).parent / "servers.py"), kind, store]
    if kind == "Fastify":
        program = ["node", f"{os.environ[NODE]}/server.js", store, SECRET]
    began = perf_counter()
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as server:
        assert server.stdout
        try:
            port = int(json.loads(server.stdout.readline()))
            listening = perf_counter() - began
            yield Server(port, server.pid, listening, _until_idle(psutil.Process(server.pid)))
        finally:
            server.terminate()


def _until_idle(server: psutil.Process) -> float:
    """Wait until a server and its processes have nothing to do, and return the time they took."""
    used, before = _processor(server), -inf
    while used - before > _IDLE * _LOOK:
        sleep(_LOOK)
        used, before = _processor(server), used
    return before


def _processor(server: psutil.Process) -> float:
    """Return the seconds of a core that a server and its processes have used."""
    processes = (server, *server.children(recursive=True))
    return sum(sum(one.cpu_times()[:2]) for one in processes)


async def _load(port: int, sent: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send the requests one after another on each connection, until the time is over."""
    requests, times = iter(sent), []
    until = perf_counter() + seconds
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: _Client(requests, times, until), "127.0.0.1", port
        )
        clients.append(client)
    began = perf_counter()
    await asyncio.gather(*(client.ended for client in clients))
    taken = perf_counter() - began
    return Load(len(times) / taken, percentile(times, 0.5) * 1e3, percentile(times, 0.99) * 1e3)


class _Client(asyncio.Protocol):
    """Sends a request whenever the one before is answered; any answer but 200 ends it all."""

    def __init__(self, requests: Iterator[bytes], times: list[float], until: float) -> None:
        self._requests, self._times, self._until = requests, times, until
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def _next(self) -> None:
        self._received, self._left = b"", 0
        request = next(islice(self._requests, 1), None)
        self._began = perf_counter()
        if request is None or self._began > self._until:
            self._transport.close()
            self.ended.set_result(None)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) == length:
            if not head.startswith(b"HTTP/1.1 200"):
                self.ended.set_exception(AssertionError(self._received.decode()))
                return
            self._times.append(perf_counter() - self._began)
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError("the server closed"))
