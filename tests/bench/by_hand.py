"""By hand: a parser of HTTP of a few lines, the same tables, a commit per gathered batch, no views.

It does the least that keeps the promise of 200, and refuses nothing that it should.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
from event_writers import Event, open_writer
from servers import SECRET, announce

_KEY = bytes.fromhex(SECRET)
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_NO = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"


class _Conversation(msgspec.Struct):
    csid: int | None = None


class _Data(msgspec.Struct):
    conversation: _Conversation | None = None


class _Body(msgspec.Struct):
    event_id: str
    event_fqn: str
    data: _Data | None = None
    organization: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Body).decode


def read(body: bytes) -> Event:
    """Read what the tables need of a body."""
    found = _decode(body)
    organization = (found.organization or {}).get("id") or "-"
    csid = found.data and found.data.conversation and found.data.conversation.csid
    stream = f"conversation/{organization}/{csid}" if csid else f"organization/{organization}"
    key = hashlib.blake2b(f"{organization}/{found.event_id}".encode(), digest_size=16).digest()
    digest = hashlib.blake2b(body, digest_size=16).digest()
    now = datetime.now(UTC).isoformat()
    state = b'{"received_at":"%b","body":%b}' % (now.encode(), body)
    return key, digest, stream, found.event_fqn.lower(), state


class _Client(asyncio.Protocol):
    def __init__(self, waiting: list[tuple["_Client", Event]], arrived: asyncio.Event) -> None:
        self._waiting, self._arrived = waiting, arrived
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(b": ") for x in lines)}
        length = int(headers.get(b"content-length", b"0"))
        if not found or len(rest) < length:
            return
        body, self._received = rest[:length], rest[length:]
        at, _, given = headers[b"x-dixa-signature"].removeprefix(b"t=").partition(b",v1=")
        if hmac.compare_digest(
            hmac.digest(_KEY, b"%b.%b" % (at, body), "sha256").hex().encode(), given
        ):
            self._waiting.append((self, read(body)))
            self._arrived.set()
        else:
            self.transport.write(_NO)


async def _gather(
    waiting: list[tuple[_Client, Event]],
    arrived: asyncio.Event,
    write: Callable[[Sequence[Event]], None],
) -> None:
    thread = ThreadPoolExecutor(1)
    while await arrived.wait():
        arrived.clear()
        batch = waiting[:1_000]
        del waiting[:1_000]
        events = [event for _, event in batch]
        await asyncio.get_running_loop().run_in_executor(thread, write, events)
        for client, _ in batch:
            client.transport.write(_OK)


async def _serve(store: str) -> None:
    waiting: list[tuple[_Client, Event]] = []
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(waiting, arrived), "127.0.0.1", 0)
    announce(server.sockets[0].getsockname()[1])
    await _gather(waiting, arrived, open_writer(store))


def serve(store: str) -> None:
    """Serve, on uvloop where it is installed, as ours does."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        asyncio.run(_serve(store))
    else:
        uvloop.run(_serve(store))
