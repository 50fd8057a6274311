"""What operators and their machines look at: liveness, readiness, metrics."""

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field
from pydantic_core import to_json
from starlette.responses import Response
from typing_extensions import TypedDict

from dixa_state.errors import DixaStateError
from dixa_state.questions import Current, CurrentCounts
from dixa_state.questions.changes import health
from dixa_state.web.access import Reader
from dixa_state.web.api import answer
from dixa_state.web.errors import REFUSALS, RETRY_AFTER, UNAVAILABLE, UNUSABLE
from dixa_state.web.service import Service, TheService

PROBE_TIMEOUT = 3.0
"""Seconds after which a store that does not answer counts as unreachable."""

_log = logging.getLogger("dixa_state.web")

router = APIRouter(tags=["operations"])


class Liveness(TypedDict):
    """Whether the process answers."""

    alive: Annotated[bool, Field(description="Always true.")]


class Readiness(TypedDict):
    """Whether the service can do its work, and how far it has got.

    `lag` counts events that the views are behind, `poison` those that could not be folded;
    `last_event_age` is in seconds since the newest was received. `problem` says why it is not
    ready, or that views of another version wait for a replay: webhooks are received nevertheless.
    """

    ready: Annotated[bool, Field(description="Whether the service can do its work.")]
    problem: Annotated[str | None, Field(description="What does not work.")]
    store_position: Annotated[int | None, Field(description="Position of the newest event.")]
    views_position: Annotated[int | None, Field(description="Position of the views.")]
    lag: Annotated[int | None, Field(description="Events that the views are behind.")]
    poison: Annotated[int | None, Field(description="Events that could not be folded.")]
    last_event_age: Annotated[float | None, Field(description="Seconds since the newest event.")]
    inbox_waiting: Annotated[int, Field(description="Webhooks that wait for a commit.")]
    streams: Annotated[int, Field(description="Subscribers to live updates.")]


@router.get("/healthz", operation_id="healthz", response_model=Liveness)
async def healthz() -> Response:
    """Return that the process is alive; needs neither the store nor the projector."""
    alive: Liveness = {"alive": True}
    return answer(alive)


@router.get(
    "/readyz",
    operation_id="readyz",
    response_model=Readiness,
    responses={UNAVAILABLE: {"model": Readiness}},
)
async def readyz(service: TheService) -> Response:
    """Return whether the store can be reached and the projector runs, and how far behind it is."""
    found = await readiness(service)
    if found["ready"]:
        return answer(found)
    headers = {"Retry-After": RETRY_AFTER}
    return Response(to_json(found), UNAVAILABLE, headers, media_type="application/json")


@router.get(
    "/metrics",
    operation_id="metrics",
    dependencies=[Reader],
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        401: REFUSALS[401],
        403: REFUSALS[403],
    },
)
async def metrics(service: TheService) -> Response:
    """Return the metrics in Prometheus' text format."""
    found = await readiness(service)
    service.metrics.set_gauges(found, alive=service.projection.alive)
    service.metrics.set_workload(await _current(service) if found["ready"] else None)
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _current(service: Service) -> CurrentCounts | None:
    """Return what the desk has before it; None while the views are of another version or busy."""
    with suppress(DixaStateError, TimeoutError):
        async with asyncio.timeout(PROBE_TIMEOUT):
            return await service.probes.run(partial(service.reader.ask, Current()))
    return None


async def readiness(service: Service) -> Readiness:
    """Return the state of the service: all who ask share a probe, for a second after its end."""
    return await service.probe.get("readiness", partial(_probe, service))


async def _probe(service: Service) -> Readiness:
    problem, measured = service.problem, None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            measured = await service.probes.run(partial(health, service.reader))
    except TimeoutError:
        problem = f"the store has not answered within {PROBE_TIMEOUT:.0f} s"
    except DixaStateError as error:
        _log.warning("not ready", extra={"why": str(error)})
        problem = UNUSABLE
    return {
        "ready": problem is None,
        "problem": problem or (measured and measured.outdated),
        "store_position": measured and measured.store_position,
        "views_position": measured and measured.views_position,
        "lag": measured and measured.lag,
        "poison": measured and measured.poison,
        "last_event_age": measured and measured.last_event_age,
        "inbox_waiting": service.inbox.waiting,
        "streams": service.live_updates.subscribers + service.streams_elsewhere,
    }
