"""What operators and their machines look at: liveness, readiness, metrics."""

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import to_json
from starlette.responses import Response
from typing_extensions import TypedDict

from dixa_state.errors import DixaStateError
from dixa_state.event_store import decode_state
from dixa_state.web.access import Reader
from dixa_state.web.answers import REFUSALS, answer
from dixa_state.web.errors import UNAVAILABLE
from dixa_state.web.service import Service, TheService

PATIENCE = 3.0
"""Seconds after which a store that does not answer counts as out of reach."""

router = APIRouter(tags=["operations"])


class Liveness(TypedDict):
    """That the process answers."""

    alive: bool


class Readiness(TypedDict):
    """Whether the service can do its work, and how far it has got.

    `lag` counts events that the views are behind, `poison` those that could not be folded;
    `last_event_age` is in seconds since the newest was received. `problem` says why not.
    """

    ready: bool
    problem: str | None
    store_position: int | None
    views_position: int
    lag: int | None
    poison: int | None
    last_event_age: float | None
    inbox_waiting: int
    streams: int


@router.get("/healthz", response_model=Liveness)
async def healthz() -> Response:
    """Tell that the process is alive; asks nothing of anybody else."""
    alive: Liveness = {"alive": True}
    return answer(alive)


@router.get("/readyz", response_model=Readiness, responses={UNAVAILABLE: {"model": Readiness}})
async def readyz(service: TheService) -> Response:
    """Tell whether the store can be reached and the projector runs, and how far behind it is."""
    found = await readiness(service)
    status = 200 if found["ready"] else UNAVAILABLE
    return Response(to_json(found), status, media_type="application/json")


@router.get(
    "/metrics",
    dependencies=[Reader],
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        401: REFUSALS[401],
        403: REFUSALS[403],
    },
)
async def metrics(service: TheService) -> Response:
    """Give the metrics in Prometheus' text format."""
    service.metrics.show(await readiness(service), alive=service.projection.alive)
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def readiness(service: Service) -> Readiness:
    """Find out how the service is."""
    found: Readiness = {
        "ready": False,
        "problem": None,
        "store_position": None,
        "views_position": service.feed.position,
        "lag": None,
        "poison": None,
        "last_event_age": None,
        "inbox_waiting": service.inbox.waiting,
        "streams": service.feed.readers,
    }
    try:
        async with asyncio.timeout(PATIENCE):
            await service.readers.ask(lambda: _ask(service, found))
    except TimeoutError:
        found["problem"] = f"the store has not answered within {PATIENCE:.0f} s"
    except DixaStateError as error:
        found["problem"] = str(error)
    if found["problem"] is None and not service.projection.alive:
        found["problem"] = f"the projector does not run: {service.projection.failure}"
    found["ready"] = found["problem"] is None
    return found


def _ask(service: Service, found: Readiness) -> None:
    newest = service.newest()
    with service.views.transaction() as connection:
        poison = connection.run("SELECT count(*) FROM poison")[0][0]
    views = service.queries.position()
    found |= {
        "store_position": newest,
        "views_position": views,
        "lag": max(newest - views, 0),
        "poison": poison,
        "last_event_age": _age(service, newest),
    }


def _age(service: Service, newest: int) -> float | None:
    stored = service.tracker.event_recorder.select_notifications(newest, 1)
    if not stored:
        return None
    received_at = decode_state(stored[0].state).received_at
    return max((service.tracker.now() - received_at).total_seconds(), 0.0)
