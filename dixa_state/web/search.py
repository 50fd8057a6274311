"""Dixa's own search, over HTTP."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic_core import from_json
from starlette.responses import Response

from dixa_state.errors import InvalidInputError
from dixa_state.questions import documents, shapes
from dixa_state.questions.search import read_search
from dixa_state.questions.search_body import SearchBody
from dixa_state.web.access import Reader
from dixa_state.web.answers import REFUSALS, Listed, listed
from dixa_state.web.bodies import headers_of
from dixa_state.web.errors import Error
from dixa_state.web.questions import SearchQuestion, require_once
from dixa_state.web.service import TheService

MAX_BODY = 256 << 10

router = APIRouter(prefix="/v1", dependencies=[Reader, Depends(require_once)], responses=REFUSALS)

_REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Error, "description": "The body did not come in time."},
    413: {"model": Error, "description": f"The body is larger than {MAX_BODY} bytes."},
    415: {"model": Error, "description": "The body is compressed, or not declared as JSON."},
}


@router.post(
    "/search/conversations",
    tags=["all conversations"],
    response_model=Listed[shapes.Conversation],
    responses=_REFUSALS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": SearchBody.model_json_schema(
                        ref_template="#/components/schemas/{model}"
                    )
                }
            },
        }
    },
)
async def search_conversations(
    service: TheService, request: Request, question: Annotated[SearchQuestion, Query()]
) -> Response:
    """Find conversations by Dixa's own search body."""
    body = await service.bodies.read(headers_of(request.scope), request.receive, MAX_BODY)
    search = read_search(_parsed(body))

    def ask() -> Response:
        page = service.queries.search(
            search, organization=question.organization, sort=question.sort, **question.page
        )
        shape = partial(documents.status_document, now=service.tracker.now())
        return listed(request, page, shape)

    return await service.run_query(request, ask, question.min_position)


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInputError(f"body: expected JSON, got something else: {error}") from error
