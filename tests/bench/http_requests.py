"""`http`: signed POSTs over 64 connections, each answered after its commit."""

import asyncio
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, time_ns

from measuring import Beside, Result, in_turns
from stores import MakeStore
from traffic import webhooks

CONNECTIONS = 64
SECONDS = 4.0
SECRET = "00112233445566778899aabbccddeeff"  # noqa: S105 — for measuring only

_MOST = 60_000


def http(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure requests a second: ours, a server that does nothing, and a save for each."""
    sent = requests()
    rates = in_turns(
        {
            "ours": lambda: _rate(["serve", make()], sent),
            "no-op": lambda: _rate(["noop"], sent),
            "save": lambda: _rate(["save", make()], sent),
        }
    )
    yield Result(
        "http",
        store,
        "requests/s",
        rates["ours"],
        (
            Beside("no-op POST", rates["no-op"], at_least=0.5),
            Beside("a save each", rates["save"], at_least=10),
        ),
    )


def requests() -> list[bytes]:
    """Make the requests beforehand: signing them is not what is measured."""
    return [request(body) for body in webhooks(_MOST)]


def request(body: bytes) -> bytes:
    """Write one request as Dixa sends it."""
    t = time_ns() // 1_000_000
    v1 = hmac.digest(bytes.fromhex(SECRET), b"%d." % t + body, "sha256").hex()
    head = (
        "POST /webhooks/dixa HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-Dixa-Signature: t={t},v1={v1}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _rate(words: list[str], sent: list[bytes]) -> float:
    with serving(words) as port:
        return asyncio.run(_load(port, iter(sent)))


@contextmanager
def serving(words: list[str]) -> Iterator[int]:
    """Run a server in a process of its own, and give its port."""
    program = [sys.executable, str(Path(__file__).parent / "compared_servers.py"), *words]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout
        try:
            yield int(json.loads(server.stdout.readline()))
        finally:
            server.terminate()


async def _load(port: int, sent: Iterator[bytes]) -> float:
    began = monotonic()
    counts = await asyncio.gather(
        *(_client(port, sent, began + SECONDS) for _ in range(CONNECTIONS))
    )
    return sum(counts) / (monotonic() - began)


async def _client(port: int, sent: Iterator[bytes], until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    for one in sent:
        if monotonic() > until:
            break
        writer.write(one)
        await answer(reader)
        done += 1
    writer.close()
    return done


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read an answer. Raises `AssertionError` for any other than 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))
