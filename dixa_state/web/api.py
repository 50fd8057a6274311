"""The query API: every question over HTTP, its parameters and answers derived from its model."""

from collections import Counter
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Annotated, Any, NamedTuple, NotRequired, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json
from starlette.responses import Response
from typing_extensions import TypedDict

from dixa_state import questions
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import InvalidInputError
from dixa_state.questions import Page, Question, Search, SearchBody
from dixa_state.questions.question import describe_errors, moments
from dixa_state.web.access import Reader
from dixa_state.web.bodies import headers_of
from dixa_state.web.errors import REFUSALS, SEARCH_REFUSALS
from dixa_state.web.service import Service, TheService

MAX_SEARCH_BODY = 256 << 10


class Meta(TypedDict):
    """Where a list goes on, the store position that it is of, and the moment asked for."""

    next: Annotated[NotRequired[str], Field(description="The next page; absent on the last.")]
    position: Annotated[int, Field(description="The store position that the list is of.")]
    as_of: Annotated[str | None, Field(description="The moment asked for, in event time.")]
    known_at: Annotated[str | None, Field(description="The same in receipt time.")]


class Route(NamedTuple):
    """A question, where it is asked, and its name and heading in the API's description."""

    path: str
    question: type[Question[Any]]
    operation: str
    tag: str


_ONE, _ALL, _BANS = "one conversation", "all conversations", "bans"
ROUTES = (
    Route("/conversations", questions.Conversations, "list_conversations", _ALL),
    Route("/conversations/{csid}", questions.OneConversation, "get_conversation", _ONE),
    Route("/conversations/{csid}/timeline", questions.Timeline, "get_timeline", _ONE),
    Route(
        "/conversations/{csid}/transitions",
        questions.ConversationTransitions,
        "list_conversation_transitions",
        _ONE,
    ),
    Route("/conversations/{csid}/events", questions.StoredEvents, "list_stored_events", _ONE),
    Route("/conversations/{csid}/why/{field}", questions.Why, "explain_field", _ONE),
    Route("/events/{position}", questions.OneStoredEvent, "get_stored_event", _ALL),
    Route("/transitions", questions.Transitions, "list_transitions", _ALL),
    Route("/transitions/matrix", questions.TransitionMatrix, "count_transitions", _ALL),
    Route("/missed", questions.Missed, "list_missed_webhooks", _ALL),
    Route("/sla", questions.SlaEvaluations, "list_sla_evaluations", _ALL),
    Route("/sla/attainment", questions.Attainment, "get_sla_attainment", _ALL),
    Route("/stats", questions.Stats, "get_statistics", _ALL),
    Route("/stats/current", questions.Current, "get_current_counts", _ALL),
    Route("/stats/daily", questions.Daily, "get_daily_counts", _ALL),
    Route("/operations", questions.Operations, "get_operations", "operations"),
    Route("/bans", questions.Bans, "list_bans", _BANS),
    Route("/endusers/{id}", questions.OneEndUser, "get_end_user", _BANS),
)


async def require_once(request: Request) -> None:
    """Refuse a parameter that is given several times and means one thing only.

    Raises `InvalidInputError`.
    """
    names = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in names.items():
        if times > 1 and name not in _REPEATED:
            raise InvalidInputError(f"{shorten(name)}: expected once, got {times} times")


router = APIRouter(prefix="/v1", dependencies=[Reader, Depends(require_once)], responses=REFUSALS)
_REPEATED = frozenset(
    name
    for route in ROUTES
    for name, field in route.question.model_fields.items()
    if field.default == ()
)


def _add(
    route: Route, endpoint: Callable[..., Any], signature: Signature, method: str, **more: Any
) -> None:
    """Add a route that is described as its question is; `signature` is what FastAPI reads."""
    endpoint.__signature__ = signature  # type: ignore[attr-defined]
    docstring = route.question.__doc__ or ""
    router.add_api_route(
        route.path,
        endpoint,
        methods=[method],
        operation_id=route.operation,
        summary=docstring.partition("\n")[0].rstrip("."),
        tags=[route.tag],
        description=docstring,
        response_model=_response_model(route.question),
        **more,
    )


def _add_question(route: Route) -> None:
    async def endpoint(
        service: Service, request: Request, query: BaseModel, **path: Any
    ) -> Response:
        return await _answered(service, request, _completed(route.question, query, **path))

    _add(route, endpoint, _signature(route.question, _path_fields(route)), "GET")


def _signature(
    question: type[Question[Any]], path: Mapping[str, Any], *, without: str = ""
) -> Signature:
    """Return what FastAPI reads of an endpoint: the fields of the path, the model of the query."""
    parameters = _without(question, {*path, without})
    kinds = {
        "service": TheService,
        "request": Request,
        "query": Annotated[parameters, Query()],
        **path,
    }
    keywords = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=k) for name, k in kinds.items()]
    return Signature(keywords, return_annotation=Response)


def _path_fields(route: Route) -> dict[str, Any]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return {name: _path_field(route.question.model_fields[name]) for name in names}


def _path_field(field: FieldInfo) -> Any:
    description = Path(description=field.description, examples=field.examples)
    return Annotated[(field.annotation, *field.metadata, description)]


def _without(question: type[Question[Any]], names: set[str]) -> type[BaseModel]:
    """Return the model of a question's query parameters, without those of its path."""
    fields: dict[str, Any] = {
        name: (field.rebuild_annotation(), field)
        for name, field in question.model_fields.items()
        if name not in names
    }
    return create_model(
        question.__name__, __config__={**question.model_config, "defer_build": False}, **fields
    )


def _response_model(question: type[Question[Any]]) -> type[BaseModel]:
    """Return the model of a question's answer: of a list, that of a page."""
    model: type[BaseModel] = get_type_hints(question.answer)["return"]
    if get_origin(model) is not Page:
        return model
    item: Any = get_args(model)[0]
    return create_model(
        f"{item.__name__}Page",
        __config__={"defer_build": True},  # only described: endpoints write their answers
        __doc__=f"A page of a list of {item.__name__}.",
        data=(list[item], Field(description="The items.")),
        meta=(Meta, Field(description="Where the list goes on.")),
    )


async def _search(service: Service, request: Request, query: BaseModel) -> Response:
    """Answer a search; its body is read here, within bounds, and not by the framework."""
    raw = await service.bodies.read(headers_of(request.scope), request.receive, MAX_SEARCH_BODY)
    try:
        body = SearchBody.model_validate_json(raw)
    except ValidationError as error:
        message, _ = describe_errors(error.errors())
        raise InvalidInputError(f"search: {message}") from error
    return await _answered(service, request, _completed(Search, query, body=body))


class _SchemaGenerator(GenerateJsonSchema):
    # A discriminator is a hint; unions that share a member go without.
    ignored_warning_kinds = {"skipped-choice", "skipped-discriminator"}  # noqa: RUF012 — theirs


# With its definitions, which `description` moves to where OpenAPI has them.
_SEARCH_SCHEMA = SearchBody.model_json_schema(
    ref_template="#/components/schemas/{model}", schema_generator=_SchemaGenerator
)
_add(
    Route("/search/conversations", Search, "search_conversations", _ALL),
    _search,
    _signature(Search, {}, without="body"),
    "POST",
    responses=SEARCH_REFUSALS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _SEARCH_SCHEMA}},
        }
    },
)


def _completed(question: type[Question[Any]], query: BaseModel, **more: Any) -> Question[Any]:
    """Return a question whose parts have been validated already."""
    given = {name: getattr(query, name) for name in query.model_fields_set}
    return question.model_construct(**given, **more)


def answer(document: Any) -> Response:
    """Return a response with a document."""
    return Response(to_json(document, inf_nan_mode="null"), media_type="application/json")


async def _answered(service: Service, request: Request, question: Question[Any]) -> Response:
    """Answer a question: with one document, or with a page of a list."""

    def ask() -> Response:
        found = service.reader.ask(question)
        if not isinstance(found, Page):
            return answer(found)
        fixed = moments(question)
        meta: dict[str, Any] = {"position": found.position}
        meta |= {name: fixed.get(name) for name in ("as_of", "known_at")}
        if found.next_key is not None:
            meta["next"] = _next_page(request, fixed, found.next_key)
        return answer({"data": found.items, "meta": meta})

    return await service.run_query(request, ask, question.min_position)


def _next_page(request: Request, fixed: Mapping[str, str], key: str) -> str:
    """Return the address of the next page, relative to this server: the same query with a key."""
    query = [
        (name, fixed.get(name, value))
        for name, value in parse_qsl(request.url.query, keep_blank_values=True)
        if name != "pageKey"
    ]
    path = f"{request.app.state.root_path}{request.url.path}"
    return f"{path}?{urlencode([*query, ('pageKey', key)])}"


for _route in ROUTES:
    _add_question(_route)
