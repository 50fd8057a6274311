"""Live updates as server-sent events, by the WHATWG's specification of them."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from dixa_state.dixa.streams import MAX_CSID
from dixa_state.errors import OverloadedError
from dixa_state.web.access import Reader
from dixa_state.web.api import require_once
from dixa_state.web.errors import REFUSALS
from dixa_state.web.live_updates import Change, LiveUpdates
from dixa_state.web.service import Service, TheService

MAX_SUBSCRIBERS = 200
"""Subscribers at a time; the next one gets 503."""

router = APIRouter(prefix="/v1", dependencies=[Reader, Depends(require_once)], responses=REFUSALS)

Position = Annotated[int, Field(ge=0, le=MAX_CSID)]
_EXAMPLE = 'id: 34\nevent: conversation\ndata: {"csid":70431,"status":"closed",…}\n\n'


class StreamParameters(BaseModel):
    """Where a subscriber begins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Position | None = Field(None, description="As `Last-Event-ID`.")
    access_token: str | None = Field(
        None, description="A token that may read: browsers' `EventSource` sends no headers."
    )


class ServerSentEvents(StreamingResponse):
    """A response of server-sent events, to one subscriber."""

    media_type = "text/event-stream"

    def __init__(
        self,
        updates: LiveUpdates,
        events: AsyncIterator[bytes],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(events, headers=headers)
        self._updates = updates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send. Raises `OverloadedError` if there are too many subscribers."""
        if self._updates.subscribers >= MAX_SUBSCRIBERS:
            raise OverloadedError(f"{MAX_SUBSCRIBERS} subscribers are connected already")
        with self._updates.subscribed():
            await super().__call__(scope, receive, send)


@router.get(
    "/stream",
    operation_id="stream_changes",
    tags=["live updates"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"example": _EXAMPLE}}}},
)
async def stream_changes(
    service: TheService,
    last_event_id: Annotated[
        Position | None, Header(description="The position after which to resume.")
    ] = None,
    query: Annotated[StreamParameters, Query()] = StreamParameters(),  # noqa: B008 — frozen
) -> Response:
    """Stream conversations as they change, each as `GET /v1/conversations/{csid}` returns it.

    The id of an event is the store position of the conversation's newest webhook. With
    `Last-Event-ID` the stream resumes after it: a conversation that has changed several times since
    comes once, as it is now. 0 begins with all of them. Without it, only what changes from now on.
    The first event, `ready`, holds the position at which it begins. After 15 s of silence comes a
    comment.
    """
    requested = last_event_id if last_event_id is not None else query.after
    after = await first_position(service, requested)
    return ServerSentEvents(service.live_updates, _events(service.live_updates, after))


async def first_position(service: Service, requested: int | None) -> int:
    """Return the position to begin after.

    An id may be ahead of what this process has seen: it came from another one on the same store.
    One that is ahead of the store is of another store, or of this one before a restore.
    """
    updates = service.live_updates
    if requested is not None and requested <= updates.position:
        return requested
    if requested is None and updates.is_current:
        return updates.position
    here, newest = await service.probes.run(
        lambda: (service.reader.position(), service.reader.newest())
    )
    return here if requested is None or requested > newest else requested


async def _events(updates: LiveUpdates, after: int) -> AsyncIterator[bytes]:
    yield b'retry: 1000\nid: %d\nevent: ready\ndata: {"position":%d}\n\n' % (after, after)
    async for changes in updates.follow(after):
        yield b"".join(map(_event, changes)) or b": still here\n\n"


def _event(change: Change) -> bytes:
    return b"id: %d\nevent: conversation\ndata: %s\n\n" % (change.position, change.document)
