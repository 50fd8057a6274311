"""Boards that stand open: each follows its stream, and is loaded again now and then."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from threading import Thread

import httpx
from programs import Address

_RELOADED = 60.0
_TIMEOUT = 30.0
_APART = 0.1


class Boards:
    """So many open boards, in a thread of their own, opened one after the other.

    `updates` counts what they were sent.
    """

    def __init__(self, address: Address, count: int) -> None:
        self.updates = 0
        self.opened = 0
        self.findings: list[str] = []
        self._url = f"http://{address[0]}:{address[1]}"
        self._count = count
        self._ended = False
        self._thread = Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended = True
        self._thread.join(2 * _TIMEOUT)

    async def _run(self) -> None:
        async with httpx.AsyncClient(
            base_url=self._url, timeout=_TIMEOUT, limits=httpx.Limits(max_connections=None)
        ) as client:
            await asyncio.gather(*(self._board(client, one) for one in range(self._count)))

    async def _board(self, client: httpx.AsyncClient, number: int) -> None:
        """Load the page and follow it; the boards are not loaded again all at once."""
        await asyncio.sleep(number * _APART)
        patience = _RELOADED * (number + 1) / self._count
        while not self._ended:
            try:
                async with asyncio.timeout(patience), _followed(client) as pieces:
                    self.opened += 1
                    async for piece in pieces:  # in lines it would cost the load its processor
                        self.updates += piece.count(b"\n\n")
                        if self._ended:
                            return
            except TimeoutError:
                patience = _RELOADED
            except (httpx.HTTPError, AttributeError) as error:
                self.findings.append(f"an open board: {type(error).__name__}: {error}")
                return


@asynccontextmanager
async def _followed(client: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[bytes]]:
    page = (await client.get("/", headers={"Accept": "text/html"})).raise_for_status()
    live = re.search(r'hx-sse:connect="([^"]*)"', page.text)
    if live is None:
        raise httpx.HTTPError("expected a board with conversations")
    async with client.stream("GET", unescape(live[1])) as answer:
        yield answer.raise_for_status().aiter_raw()
