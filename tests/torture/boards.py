"""Boards that stand open: each follows its stream, and is loaded again now and then."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from multiprocessing import get_context
from typing import Any

import httpx
from programs import Address

_RELOADED = 60.0
_TIMEOUT = 30.0
OPENED_EVERY = 0.1
_OPENED, _UPDATES = 0, 1


class Boards:
    """So many open boards, opened one after the other; `updates` counts what they were sent.

    They have a process of their own, as browsers do: in that of the load they would delay its
    clock.
    """

    def __init__(self, address: Address, count: int) -> None:
        context = get_context("spawn")
        self._counts = context.Array("q", 2)
        self._findings = context.SimpleQueue()
        self._ended = context.Event()
        shared = (f"http://{address[0]}:{address[1]}", count)
        shared += (self._counts, self._findings, self._ended)
        self._process = context.Process(target=_open, args=shared, daemon=True)
        self._process.start()

    @property
    def opened(self) -> int:
        return int(self._counts[_OPENED])

    @property
    def updates(self) -> int:
        return int(self._counts[_UPDATES])

    @property
    def findings(self) -> list[str]:
        found = []
        while not self._findings.empty():
            found.append(self._findings.get())
        return found

    def end(self) -> None:
        self._ended.set()
        self._process.join(2 * _TIMEOUT)


def _open(url: str, count: int, counts: Any, findings: Any, ended: Any) -> None:
    """Open boards until the end, in this process."""

    async def board(client: httpx.AsyncClient, number: int) -> None:
        """Load the page and follow it; the boards are not loaded again all at once."""
        await asyncio.sleep(number * OPENED_EVERY)
        seconds = _RELOADED * (number + 1) / count
        while not ended.is_set():
            try:
                async with asyncio.timeout(seconds), _followed(client) as pieces:
                    counts[_OPENED] += 1
                    async for piece in pieces:  # in lines it would cost much more
                        counts[_UPDATES] += piece.count(b"\n\n")
                        if ended.is_set():
                            return
            except TimeoutError:
                seconds = _RELOADED
            except (httpx.HTTPError, AttributeError) as error:
                findings.put(f"an open board: {type(error).__name__}: {error}")
                return

    async def all_boards() -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, limits=limits) as client:
            await asyncio.gather(*(board(client, number) for number in range(count)))

    asyncio.run(all_boards())


@asynccontextmanager
async def _followed(client: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[bytes]]:
    page = (await client.get("/", headers={"Accept": "text/html"})).raise_for_status()
    live = re.search(r'hx-sse:connect="([^"]*)"', page.text)
    if live is None:
        raise httpx.HTTPError("expected a board with conversations")
    async with client.stream("GET", unescape(live[1])) as answer:
        yield answer.raise_for_status().aiter_raw()
