"""`lag`: from the 200 to the row in the view, at a thousand events a second."""

import asyncio
from collections.abc import Iterator
from time import monotonic

from http_requests import serving, signed
from measuring import Result, percentile
from stores import MakeStore
from traffic import webhooks

from dixa_state import open_tracker
from dixa_state.bootstrap import open_views

RATE = 1_000
SECONDS = 5
CONNECTIONS = 16


def lag(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure the p99 in milliseconds, as another process sees the view."""
    url = make()
    with serving("ours", url) as server:
        answered, seen = asyncio.run(_watched(server.port, url))
    lags = [seen[position] - at for position, at in answered.items() if position in seen]
    assert len(lags) > RATE, f"expected answers at {RATE}/s, got {len(lags)} in {SECONDS} s"
    achieved = len(answered) / SECONDS
    remark = f"at {achieved:,.0f} events/s"
    yield Result("lag, p99", store, "ms", percentile(lags, 0.99) * 1_000, (), 100, remark)


class _Until:
    """The last position that is waited for, once it is known."""

    position: int | None = None


async def _watched(port: int, url: str) -> tuple[dict[int, float], dict[int, float]]:
    answered: dict[int, float] = {}
    seen: dict[int, float] = {}
    until = _Until()
    watching = asyncio.create_task(asyncio.to_thread(_watch, url, seen, until))
    sent = (signed(body) for body in webhooks(RATE * SECONDS + CONNECTIONS))
    began = monotonic()
    await asyncio.gather(
        *(_client(port, sent, answered, began, number) for number in range(CONNECTIONS))
    )
    until.position = max(answered)
    await asyncio.wait_for(watching, 20)
    return answered, seen


async def _client(
    port: int, sent: Iterator[bytes], answered: dict[int, float], began: float, number: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = began + number / RATE
    while due < began + SECONDS:
        await asyncio.sleep(max(due - monotonic(), 0))
        writer.write(next(sent))
        body = await _answer(reader)
        position = body.partition(b'"position":')[2].partition(b",")[0]
        if position.isdigit():
            answered[int(position)] = monotonic()
        due += CONNECTIONS / RATE
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))


def _watch(url: str, seen: dict[int, float], until: _Until) -> None:
    """Note when each position was first seen in the views."""
    with open_tracker(url, create=False) as tracker:
        views = open_views(tracker.event_recorder)
        last = 0
        while until.position is None or last < until.position:
            position = views.progress().position
            now = monotonic()
            for at in range(last + 1, position + 1):
                seen[at] = now
            last = max(last, position)
            views.changed(0.005)
        views.close()
