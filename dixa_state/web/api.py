"""The query API: every question of the read service, over HTTP."""

from enum import Enum
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from dixa_state.domain.bans import Ban
from dixa_state.fold import Step
from dixa_state.questions import documents, shapes
from dixa_state.questions.slices import Keyed, sliced
from dixa_state.tracker import StoredBody
from dixa_state.web.access import Reader
from dixa_state.web.answers import REFUSALS, Listed, answer, listed, whole
from dixa_state.web.questions import (
    AttainmentQuestion,
    BansQuestion,
    Csid,
    DailyQuestion,
    ListQuestion,
    OneQuestion,
    Paged,
    Question,
    SlaQuestion,
    TransitionsOfOne,
    TransitionsQuestion,
    require_once,
)
from dixa_state.web.service import TheService

router = APIRouter(prefix="/v1", dependencies=[Reader, Depends(require_once)], responses=REFUSALS)

OF_ONE: list[str | Enum] = ["one conversation"]
OF_ALL: list[str | Enum] = ["all conversations"]


@router.get("/conversations", tags=OF_ALL, response_model=Listed[shapes.Conversation])
async def list_conversations(
    service: TheService, request: Request, question: Annotated[ListQuestion, Query()]
) -> Response:
    """List conversations that fit, as they are or as of a moment."""

    def ask() -> Response:
        page = service.queries.conversations(
            question.filters(),
            sort=question.sort,
            limit=question.pageLimit,
            page_key=question.pageKey,
            as_of=question.as_of,
        )
        now = service.tracker.now()
        shape = partial(documents.status_document, now=now, as_of=question.as_of)
        return listed(request, page, shape, as_of=question.as_of)

    return await service.run_query(request, ask, question.min_position)


@router.get("/conversations/{csid}", tags=OF_ONE, response_model=shapes.Conversation)
async def conversation(
    service: TheService, request: Request, csid: Csid, question: Annotated[OneQuestion, Query()]
) -> Response:
    """Tell the state of one conversation, now or at a moment."""
    moment = question.moment

    def ask() -> Response:
        now = service.tracker.now()
        question.require_past(now)
        state = service.queries.conversation(csid, organization=question.organization, **moment)
        return answer(documents.status_document(state, now=now, **moment))

    return await service.run_query(request, ask, question.min_position)


@router.get("/conversations/{csid}/timeline", tags=OF_ONE, response_model=Listed[shapes.Step])
async def timeline(
    service: TheService, request: Request, csid: Csid, question: Annotated[Paged, Query()]
) -> Response:
    """Tell every event of one conversation, in event-time order, with what it changed."""

    def steps(position: int) -> list[Keyed[Step]]:
        found = service.tracker.timeline(csid, organization=question.organization, up_to=position)
        return [((number,), step) for number, step in enumerate(found)]

    def ask() -> Response:
        asked = ["timeline", csid, question.organization]
        page = sliced(steps, service.store_position(), asked, **question.page)
        return listed(request, page, documents.step_document)

    return await service.run_query(request, ask, question.min_position)


@router.get(
    "/conversations/{csid}/transitions", tags=OF_ONE, response_model=Listed[shapes.Transition]
)
async def transitions_of_one(
    service: TheService,
    request: Request,
    csid: Csid,
    question: Annotated[TransitionsOfOne, Query()],
) -> Response:
    """Tell the lifecycle transitions of one conversation and their evidence, oldest first."""
    moment = question.moment

    def moves(position: int) -> list[Keyed[shapes.Transition]]:
        state = service.tracker.conversation(
            csid, organization=question.organization, up_to=position, **moment
        )
        told = partial(documents.transition_document, state.organization_id, csid)
        return [((move.sequence,), told(move)) for move in state.life.transitions]

    def ask() -> Response:
        question.require_past(service.tracker.now())
        asked = ["transitions of", csid, question.organization, moment]
        page = sliced(moves, service.store_position(), asked, **question.page)
        return listed(request, page, lambda move: move, as_of=question.as_of)

    return await service.run_query(request, ask, question.min_position)


@router.get("/conversations/{csid}/events", tags=OF_ONE, response_model=Listed[shapes.StoredEvent])
async def events(
    service: TheService, request: Request, csid: Csid, question: Annotated[Paged, Query()]
) -> Response:
    """Give the stored webhooks of one conversation as they came, in order of arrival."""

    def bodies(position: int) -> list[Keyed[StoredBody]]:
        found = service.tracker.events(csid, organization=question.organization, up_to=position)
        return [((stored.version,), stored) for stored in found]

    def ask() -> Response:
        asked = ["events", csid, question.organization]
        page = sliced(bodies, service.store_position(), asked, **question.page)
        return listed(request, page, documents.stored_document)

    return await service.run_query(request, ask, question.min_position)


@router.get("/transitions", tags=OF_ALL, response_model=Listed[shapes.Transition])
async def transitions(
    service: TheService, request: Request, question: Annotated[TransitionsQuestion, Query()]
) -> Response:
    """List lifecycle transitions and their evidence, oldest first."""

    def ask() -> Response:
        page = service.queries.transitions(question.filters(), **question.page)
        return listed(request, page, lambda move: documents.transition_document(*move))

    return await service.run_query(request, ask, question.min_position)


@router.get("/sla", tags=OF_ALL, response_model=Listed[shapes.SlaRow])
async def sla(
    service: TheService, request: Request, question: Annotated[SlaQuestion, Query()]
) -> Response:
    """List SLA evaluations, in the order in which they began."""

    def ask() -> Response:
        page = service.queries.sla(question.filters(), **question.page)
        return listed(request, page, documents.sla_document)

    return await service.run_query(request, ask, question.min_position)


@router.get("/sla/attainment", tags=OF_ALL, response_model=Listed[shapes.Share])
async def attainment(
    service: TheService, request: Request, question: Annotated[AttainmentQuestion, Query()]
) -> Response:
    """Give the shares of SLAs that were kept; each count is that of the list with its value."""

    def ask() -> Response:
        position = service.queries.position()
        shares = service.queries.attainment(question.by, question.filters())
        told = partial(documents.share_document, question.by)
        return whole(request, map(told, shares), position)

    return await service.run_query(request, ask, question.min_position)


@router.get("/stats", tags=OF_ALL, response_model=shapes.Stats)
async def stats(
    service: TheService, request: Request, question: Annotated[Question, Query()]
) -> Response:
    """Count conversations and transitions; tell average, median and p90 times."""

    def ask() -> Response:
        return answer(documents.stats_document(service.queries.stats(question.organization)))

    return await service.run_query(request, ask, question.min_position)


@router.get("/stats/daily", tags=OF_ALL, response_model=Listed[shapes.Day])
async def daily(
    service: TheService, request: Request, question: Annotated[DailyQuestion, Query()]
) -> Response:
    """Count transitions by day (UTC)."""

    def ask() -> Response:
        position = service.queries.position()
        days = service.queries.daily(question.filters())
        return whole(request, map(documents.day_document, days), position)

    return await service.run_query(request, ask, question.min_position)


@router.get("/bans", tags=["bans"], response_model=Listed[shapes.Ban])
async def bans(
    service: TheService, request: Request, question: Annotated[BansQuestion, Query()]
) -> Response:
    """List every end user and IP address that was ever banned, and whether they still are."""

    def ask() -> Response:
        asked = ["bans", question.organization, question.banned]
        page = sliced(found, service.queries.position(), asked, **question.page)
        return listed(request, page, documents.ban_document)

    def found(_position: int) -> list[Keyed[Ban]]:
        fitting = [ban for ban in service.queries.bans() if question.fits(ban)]
        return sorted(((_place(ban), ban) for ban in fitting), key=lambda keyed: keyed[0])

    return await service.run_query(request, ask, question.min_position)


@router.get("/endusers/{id}", tags=["bans"], response_model=shapes.EndUser)
async def enduser(
    service: TheService,
    request: Request,
    key: Annotated[str, Path(alias="id", description="The end user's id at Dixa.")],
    question: Annotated[Question, Query()],
) -> Response:
    """Tell whether an end user is banned, and count their conversations by status."""

    def ask() -> Response:
        found = service.queries.enduser(key, question.organization)
        return answer(documents.enduser_document(found))

    return await service.run_query(request, ask, question.min_position)


def _place(ban: Ban) -> tuple[str, str, str]:
    return ban.kind, ban.organization_id or "", ban.id
