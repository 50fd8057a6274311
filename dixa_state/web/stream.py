"""The live stream: server-sent events, by the WHATWG's specification of them."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from pydantic import Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from dixa_state.dixa.streams import MAX_CSID
from dixa_state.errors import OverloadedError
from dixa_state.web.access import Reader
from dixa_state.web.answers import REFUSALS
from dixa_state.web.feed import Change, Feed
from dixa_state.web.questions import require_once
from dixa_state.web.service import Service, TheService

MAX_STREAMS = 200
"""Readers at a time; the next one is told to come back later."""

router = APIRouter(prefix="/v1", dependencies=[Reader, Depends(require_once)], responses=REFUSALS)

_Position = Annotated[int, Field(ge=0, le=MAX_CSID)]
_EXAMPLE = 'id: 34\nevent: conversation\ndata: {"csid":70431,"status":"closed",…}\n\n'


class EventStream(StreamingResponse):
    """A response of server-sent events, to one reader of a feed."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, after: int) -> None:
        """Tell of what changes after a position."""
        super().__init__(_told(feed, after))
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. Raises `OverloadedError` if there are too many readers."""
        if self._feed.readers >= MAX_STREAMS:
            raise OverloadedError(f"{MAX_STREAMS} live streams are open already")
        with self._feed.joined():
            await super().__call__(scope, receive, send)


@router.get(
    "/stream",
    tags=["live"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"example": _EXAMPLE}}}},
)
async def stream(
    service: TheService,
    last_event_id: Annotated[_Position | None, Header()] = None,
    after: Annotated[_Position | None, Query(description="As `Last-Event-ID`.")] = None,
) -> Response:
    """Tell of conversations as they change, each as `GET /v1/conversations/{csid}` gives it.

    The id of an event is the store position of the conversation's newest webhook. With
    `Last-Event-ID` the stream resumes after it: a conversation that has changed several times since
    comes once, as it is now. 0 begins with all of them. Without it, only what changes from now on.
    The first event, `ready`, tells where it begins. A comment comes after 15 s of silence.
    """
    asked = last_event_id if last_event_id is not None else after
    return EventStream(service.feed, await _beginning(service, asked))


async def _beginning(service: Service, asked: int | None) -> int:
    """Choose where to begin.

    An id may be ahead of what this process has seen: another one on the same store told it. One
    that is ahead of the store itself is of another store, or of this one before a restore.
    """
    here = service.feed.position
    if asked is None or asked <= here:
        return here if asked is None else asked
    return asked if asked <= await service.probes.ask(service.newest) else here


async def _told(feed: Feed, after: int) -> AsyncIterator[bytes]:
    yield b'retry: 1000\nid: %d\nevent: ready\ndata: {"position":%d}\n\n' % (after, after)
    async for changes in feed.follow(after):
        yield b"".join(map(_event, changes)) or b": still here\n\n"


def _event(change: Change) -> bytes:
    return b"id: %d\nevent: conversation\ndata: %s\n\n" % (change.position, change.document)
