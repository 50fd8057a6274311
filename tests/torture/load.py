"""The load: many clients that send signed webhooks over connections that stay open."""

import asyncio
from contextlib import suppress
from random import Random
from threading import Thread
from time import monotonic, time_ns
from typing import Any, NamedTuple, Self

from ledger import Ledger
from programs import SECRET, Address, HarnessError
from pydantic_core import from_json
from stock import Piece, Stock

from dixa_state.dixa.signature import sign
from dixa_state.web.inbox import COMMIT_TIMEOUT

ANSWERED_WITHIN = COMMIT_TIMEOUT + 8.0
"""Seconds: the inbox answers after its timeout at the latest; the rest is for a busy machine."""

_KEY = bytes.fromhex(SECRET)
_PAUSE = 0.02
_BACK_OFF = 0.1
_BEHIND = 1.0
"""Seconds that a client may make up for after slow answers, by sending at once."""


class Answer(NamedTuple):
    """An answer over HTTP; the names of its headers in small letters."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Connection:
    """A connection that stays open over many requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, address: Address) -> "Connection":
        return cls(*await asyncio.open_connection(*address))

    async def post(self, body: bytes) -> Answer:
        """Send a webhook, signed as Dixa signs it, and read the answer."""
        self._writer.write(request(body))
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        fields = (line.partition(b":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        content = await self._reader.readexactly(int(headers[b"content-length"]))
        return Answer(int(first.split(b" ")[1]), headers, content)

    def close(self) -> None:
        self._writer.transport.abort()


def request(body: bytes) -> bytes:
    """Write a request as Dixa would."""
    head = (
        "POST /webhooks/dixa HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Dixa-Signature: {sign(body, _KEY, t=time_ns() // 1_000_000)}\r\n\r\n"
    )
    return head.encode() + body


class Load:
    """Clients in a thread of their own; they send to whichever servers are named at the moment."""

    def __init__(
        self, stock: Stock, ledger: Ledger, *, clients: int = 32, rest: float = 0.0, seed: int = 1
    ) -> None:
        """Send with so many clients; each rests so many seconds in the mean, or not at all."""
        self.stock = stock
        self.ledger = ledger
        self.addresses: tuple[Address, ...] = ()
        self.longest = 0.0
        self.times: list[float] = []
        self.refused = 0
        self.broken = 0
        self._clients = clients
        self._rest = rest
        self._dice = Random(f"load {seed}")
        self._ended = False
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join(2 * ANSWERED_WITHIN)

    @property
    def answered(self) -> int:
        """How many answers 200 there have been; raises `HarnessError` if the load itself failed."""
        if self._failure is not None:
            raise HarnessError("the load has failed") from self._failure
        return self.ledger.answers.total()

    def finish(self, seconds: float = 120.0) -> None:
        """Send what has not been answered until it has been, and nothing new."""
        self.stock.closed = True
        self._thread.join(seconds)
        if self._thread.is_alive() or self.stock.unanswered:
            raise HarnessError(f"{self.stock.unanswered} webhooks are not taken in {seconds:.0f} s")

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:  # noqa: BLE001 — told to whoever asks next
            self._failure = error

    async def _all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._client())

    async def _client(self) -> None:
        """Keep a connection while it works, and open another, perhaps elsewhere, when it breaks."""
        while not self._is_done():
            try:
                connection = await Connection.open(self._dice.choice(self.addresses))
            except (OSError, IndexError):
                await asyncio.sleep(_PAUSE)
                continue
            with suppress(OSError, EOFError, TimeoutError):
                await self._talk(connection)
            connection.close()

    def _is_done(self) -> bool:
        return self._ended or (self.stock.closed and not self.stock.unanswered)

    async def _talk(self, connection: Connection) -> None:
        due = monotonic() + self._dice.random() * self._rest  # not all clients at once
        while not self._is_done():
            await asyncio.sleep(max(due - monotonic(), 0))
            piece = self.stock.take()
            if piece is None:
                await asyncio.sleep(_PAUSE)
            elif await self._send(connection, piece):
                # in even steps, clients that were answered together would stay together
                due += self._rest * self._dice.expovariate(1)
                if due < monotonic() - _BEHIND:
                    due = monotonic() + self._dice.random() * self._rest
            else:
                await asyncio.sleep(_BACK_OFF)

    async def _send(self, connection: Connection, piece: Piece) -> bool:
        """Send a piece, and give it back unless it was taken."""
        floor = self.ledger.sends(piece)
        taken = False
        try:
            answer = await self._timed(connection, piece)
            if taken := answer.status == 200:
                self.ledger.is_answered(piece, from_json(answer.body), floor)
            else:
                self._note_refusal(answer)
        except (OSError, EOFError):
            self.broken += 1
            raise
        finally:
            (self.stock.answered if taken else self.stock.give_back)(piece)
        return taken

    async def _timed(self, connection: Connection, piece: Piece) -> Answer:
        begun = monotonic()
        try:
            async with asyncio.timeout(ANSWERED_WITHIN):
                return await connection.post(piece.raw)
        except TimeoutError:
            self.ledger.findings.append(f"no answer within {ANSWERED_WITHIN:.0f} s")
            raise
        finally:
            self.times.append(monotonic() - begun)
            self.longest = max(self.longest, self.times[-1])

    def _note_refusal(self, answer: Answer) -> None:
        self.refused += 1
        if answer.status != 503 or b"retry-after" not in answer.headers:
            told: Any = answer.body[:300]
            self.ledger.findings.append(f"an answer that is none of ours: {answer.status} {told!r}")
