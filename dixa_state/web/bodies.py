"""Reading a request's body within bounds: of size, of time, and of memory over all requests."""

import asyncio
from collections.abc import Coroutine, Generator, Mapping
from types import coroutine
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from dixa_state.errors import OverloadedError

T = TypeVar("T")

Head = Mapping[bytes, bytes]
"""The headers of a request: the first one of each name, which is in lower case."""

PATIENCE = 10.0
"""Seconds in which a body must have come in."""

MAX_READING = 64 << 20
"""Bytes of bodies that may be in the making at a time."""


class Bodies:
    """Reads bodies; one for each application, since it counts what all of them hold."""

    def __init__(self) -> None:
        """Begin with none."""
        self._reading = 0

    async def read(
        self, head: Head, receive: Receive, limit: int, *, declared: bool = False
    ) -> bytes:
        """Read the body of a request that carries JSON, and with `declared` says so.

        Raises `HTTPException` with 415 for another type or a compressed body, 413 for one beyond
        `limit` bytes, 408 for one that is too slow; `OverloadedError` if there are too many.
        """
        require_json(head, declared=declared)
        length = head.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limit:
            raise _too_large(limit)
        try:
            return await _within(PATIENCE, self._read(receive, limit))
        except TimeoutError:
            message = f"body: expected all of it within {PATIENCE:.0f} s"
            raise HTTPException(408, message, {"Connection": "close"}) from None
        except ClientDisconnect:
            raise HTTPException(400, "body: expected all of it, got a part") from None

    async def _read(self, receive: Receive, limit: int) -> bytes:
        chunks: list[bytes] = []
        total = 0
        more = True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk, more = message.get("body", b""), message.get("more_body", False)
                total += len(chunk)
                self._reading += len(chunk)
                if total > limit:
                    raise _too_large(limit)
                if self._reading > MAX_READING:
                    raise OverloadedError("too many bodies are coming in at the same time")
                chunks.append(chunk)
        finally:
            self._reading -= total
        return b"".join(chunks)


async def _within(seconds: float, reading: Coroutine[Any, None, T]) -> T:
    """Await what mostly need not wait: only if it does, set the time limit, which costs more."""
    try:
        waited = reading.send(None)
    except StopIteration as end:
        done: T = end.value
        return done
    async with asyncio.timeout(seconds):
        return await _go_on(reading, waited)


@coroutine
def _go_on(reading: Coroutine[Any, None, T], waited: Any) -> Generator[Any, None, T]:
    """Await the rest of what has begun to wait."""
    try:
        yield waited
    except BaseException:
        reading.close()
        raise
    read: T = yield from reading
    return read


def head_of(scope: Scope) -> Head:
    """Give the headers of a request."""
    return dict(reversed(scope["headers"]))


def require_json(head: Head, *, declared: bool) -> None:
    """Refuse what is declared as anything but plain JSON; what declares nothing may pass or not."""
    encoding = head.get(b"content-encoding", b"identity").decode("latin-1")
    if encoding.strip().casefold() not in ("", "identity"):
        raise HTTPException(415, f"Content-Encoding: expected none, got {encoding[:80]!r}")
    told = head.get(b"content-type", b"" if declared else b"application/json").decode("latin-1")
    kind = told.partition(";")[0].strip().casefold()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise HTTPException(415, f"Content-Type: expected application/json, got {told[:80]!r}")


def _too_large(limit: int) -> HTTPException:
    message = f"body: expected at most {limit} bytes, got more"
    return HTTPException(413, message, {"Connection": "close"})
