"""Reading a request's body within limits: of size, of time, and of memory over all requests."""

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from dixa_state.errors import OverloadedError

Headers = Mapping[bytes, bytes]
"""The headers of a request: the first one of each name, which is in lower case."""

BODY_TIMEOUT = 10.0
"""Seconds in which a body must have come in."""

MAX_UNFINISHED_BYTES = 64 << 20
"""Bytes of bodies that are not complete, over all requests; beyond, the largest is given up."""


class _Unfinished:
    """A body of which more is to come."""

    def __init__(self) -> None:
        self.timeout = asyncio.timeout(BODY_TIMEOUT)
        self.chunks: list[bytes] = []
        self.size = 0
        self.given_up = False


class BodyReader:
    """Reads bodies; one for each application, since it counts what all of them hold."""

    def __init__(self) -> None:
        self._unfinished: set[_Unfinished] = set()
        self._bytes = 0

    async def read(
        self,
        headers: Headers,
        receive: Receive,
        limit: int,
        *,
        declared: bool = False,
        form: bool = False,
    ) -> bytes:
        """Return the body of a request that carries JSON, and with `declared` says so, or a form.

        Raises `HTTPException` with 415 for another type or a compressed body, 413 for one beyond
        `limit` bytes, 408 for one that is too slow; `OverloadedError` for one that was given up.
        """
        if not form:
            require_json(headers, declared=declared)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limit:
            raise _too_large(limit)
        body = _Unfinished()
        try:
            async with body.timeout:
                return await self._read(body, receive, limit)
        except TimeoutError:
            if body.given_up:
                raise _given_up() from None
            message = f"body: expected all of it within {BODY_TIMEOUT:.0f} s"
            raise HTTPException(408, message, {"Connection": "close"}) from None
        except ClientDisconnect:
            raise HTTPException(400, "body: expected all of it, got a part") from None
        finally:
            self._release(body)

    async def _read(self, body: _Unfinished, receive: Receive, limit: int) -> bytes:
        while not body.given_up:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk: bytes = message.get("body", b"")
            if body.size + len(chunk) > limit:
                raise _too_large(limit)
            if not message.get("more_body", False) and not body.given_up:
                return b"".join((*body.chunks, chunk))
            self._hold(body, chunk)
        raise _given_up()

    def _hold(self, body: _Unfinished, chunk: bytes) -> None:
        """Keep a part of a body; it is the largest that makes room, so that small ones come in."""
        body.chunks.append(chunk)
        body.size += len(chunk)
        self._unfinished.add(body)
        self._bytes += len(chunk)
        while self._bytes > MAX_UNFINISHED_BYTES:
            largest = max(self._unfinished, key=lambda one: one.size)
            largest.given_up = True
            largest.timeout.reschedule(asyncio.get_running_loop().time())
            self._release(largest)

    def _release(self, body: _Unfinished) -> None:
        if body in self._unfinished:
            self._unfinished.remove(body)
            self._bytes -= body.size
            body.chunks.clear()


def headers_of(scope: Scope) -> Headers:
    """Return the headers of a request."""
    return dict(reversed(scope["headers"]))


def require_json(headers: Headers, *, declared: bool) -> None:
    """Raise `HTTPException` for a body that is declared as anything but plain JSON.

    Without `declared`, one that declares nothing passes.
    """
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    if encoding.strip().casefold() not in ("", "identity"):
        raise HTTPException(415, f"Content-Encoding: expected none, got {encoding[:80]!r}")
    default = b"" if declared else b"application/json"
    content_type = headers.get(b"content-type", default).decode("latin-1")
    kind = content_type.partition(";")[0].strip().casefold()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        message = f"Content-Type: expected application/json, got {content_type[:80]!r}"
        raise HTTPException(415, message)


def _too_large(limit: int) -> HTTPException:
    message = f"body: expected at most {limit} bytes, got more"
    return HTTPException(413, message, {"Connection": "close"})


def _given_up() -> OverloadedError:
    return OverloadedError("too many bodies are coming in at the same time")
