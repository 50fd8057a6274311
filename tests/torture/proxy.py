"""A network that can be made to fail: a TCP proxy between the service and its database."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from threading import Event as Signal
from threading import Thread
from typing import Any, Self, TypeVar

T = TypeVar("T")

_CHUNK = 1 << 16


class Proxy:
    """Passes everything on to a port of this machine, unless it is slow, stalls or is cut."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._cut = False
        self._delay = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = Signal()
        self._thread = Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def slow(self, seconds: float) -> None:
        """Pass everything on later by so much, each way."""
        self._loop.call_soon_threadsafe(setattr, self, "_delay", seconds)

    def stall(self) -> None:
        """Keep all connections, and pass nothing on: neither side can tell."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def flow(self) -> None:
        """Pass on again what waits and what comes, at once; take connections again."""
        self._loop.call_soon_threadsafe(self._restore)

    def cut(self) -> None:
        """Break all connections, and take none."""
        self._loop.call_soon_threadsafe(self._break)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda *_: None)  # both ends break as they like
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=100)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._flows.set()
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._break()
        self._wait(self._end())
        self._loop.close()

    def _restore(self) -> None:
        self._cut, self._delay = False, 0.0
        self._flows.set()

    def _break(self) -> None:
        self._cut = True
        self._flows.set()
        for writer in self._writers:
            writer.transport.abort()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        await self._flows.wait()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, back}
        self._writers |= both
        with suppress(OSError):
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        self._writers -= both
        for each in both:
            each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one direction on until it ends, which ends the other, too."""
        while data := await reader.read(_CHUNK):
            await self._flows.wait()
            await asyncio.sleep(self._delay)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
