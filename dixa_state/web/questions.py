"""Questions as they come in a query string; a parameter that we do not know is refused.

Times are RFC 3339, or a date for its midnight in UTC. A filter that is given several times means
one of its values.
"""

from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Path, Request
from fastapi.exceptions import RequestValidationError
from msgspec import convert
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from dixa_state.dixa.streams import MAX_CSID
from dixa_state.domain.bans import Ban
from dixa_state.domain.events import SlaStatus
from dixa_state.domain.lifecycle import Status
from dixa_state.domain.timestamps import parse_time, shorten
from dixa_state.errors import InvalidInputError
from dixa_state.questions import LIMIT, MAX_LIMIT, Filters, SlaFilters, TransitionFilters
from dixa_state.questions.filters import require_past

MAX_VALUES = 100
"""Values that one filter may have."""

_MAX_TEXT = 500
_SHOWN = 20
_MAX_KEY = 4_000

F = TypeVar("F", Filters, TransitionFilters, SlaFilters)


def _time(value: Any) -> Any:
    return parse_time(value) if isinstance(value, str) else value


Time = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-02T08:30:00Z"]}),
]
Csid = Annotated[
    int, Path(ge=1, le=MAX_CSID, description="The number of a conversation.", examples=[70431])
]
Text = Annotated[str, Field(max_length=_MAX_TEXT)]
Texts = Annotated[list[Text], Field(max_length=MAX_VALUES)]
Organization = Annotated[
    Text | None, Field(description="Whose, if several organizations have one.")
]
Past = Annotated[Time | None, Field(description="As it was at that time; not one to come.")]
Reached = Annotated[
    int | None,
    Field(
        ge=0,
        le=MAX_CSID,
        description="Answer from no earlier state than that of this store position.",
    ),
]
SlaSummary = Literal["pending", "breached", "achieved", "voided", "none"]
Sort = Literal["-last_event_at", "last_event_at", "-created_at", "created_at", "-csid", "csid"]


class Question(BaseModel):
    """What every question may say."""

    model_config = ConfigDict(extra="forbid")

    organization: Organization = None
    min_position: Reached = None


class PageOf(TypedDict):
    """Which page."""

    limit: int
    page_key: str | None


class Moment(TypedDict):
    """As of when, and by what was known then."""

    as_of: datetime | None
    known_at: datetime | None


class Paged(Question):
    """A question whose answer comes in pages."""

    pageLimit: int = Field(LIMIT, ge=1, le=MAX_LIMIT, description="Items a page.")  # noqa: N815
    pageKey: str | None = Field(  # noqa: N815 — as Dixa's own API spells them
        None, max_length=_MAX_KEY, description="Where the page begins: take it from `meta.next`."
    )

    @property
    def page(self) -> "PageOf":
        """Which page, as the read service takes it."""
        return {"limit": self.pageLimit, "page_key": self.pageKey}


class OneQuestion(Question):
    """About one conversation at a moment."""

    as_of: Past = None
    known_at: Annotated[Time | None, Field(description="By what had been received until then.")] = (
        None
    )

    @property
    def moment(self) -> Moment:
        """Which moment, as the tracker takes it."""
        return {"as_of": self.as_of, "known_at": self.known_at}

    def require_past(self, now: datetime) -> None:
        """Refuse to tell the future. Raises `ConflictError`."""
        for name, moment in (("as_of", self.as_of), ("known_at", self.known_at)):
            if moment is not None:
                require_past(moment, now, name)


class TransitionsOfOne(Paged, OneQuestion):
    """About the transitions of one conversation."""


class ListQuestion(Paged):
    """About conversations."""

    status: list[Status] = Field([], max_length=MAX_VALUES)
    channel: Texts = Field([], description="Such as EMAIL or WIDGET_CHAT.")
    direction: Texts = Field([], description="INBOUND or OUTBOUND.")
    queue: Texts = Field([], description="An id or a name, or `none`.")
    assignee: Texts = Field([], description="An id, a name or an email, or `none`.")
    tag: Texts = Field([], description="A name, or `none`.")
    sla: list[SlaSummary] = Field([], max_length=MAX_VALUES)
    requester: Texts = Field([], description="An id or an email.")
    text: Text | None = Field(None, description="Beginnings of words in subject or requester.")
    created_since: Time | None = None
    created_until: Time | None = None
    updated_since: Time | None = Field(None, description="By the last event.")
    updated_until: Time | None = None
    irregular: bool = Field(default=False, description="Only with an irregular transition.")
    sort: Sort = Field("-last_event_at", description="A list `as_of` a time is sorted by creation.")
    as_of: Past = None

    def filters(self) -> Filters:
        """Give the filters."""
        return _filters(Filters, self)


class SearchQuestion(Paged):
    """What a search says beside its body."""

    sort: Sort = "-last_event_at"


class TransitionsQuestion(Paged):
    """About lifecycle transitions of all conversations."""

    before: Status | None = Field(None, alias="from", description="Only moves from this status.")
    after: Status | None = Field(None, alias="to", description="Only moves to this status.")
    since: Time | None = Field(None, description="Only moves at or after this time.")
    until: Time | None = Field(None, description="Only moves before this time.")
    irregular: bool = Field(
        default=False, description="Only moves that the lifecycle does not foresee."
    )
    inferred: bool = Field(default=False, description="Only moves that no webhook told of.")
    late: bool = Field(default=False, description="Only moves whose webhook came late.")
    csid: int | None = Field(None, ge=1, le=MAX_CSID)

    def filters(self) -> TransitionFilters:
        """Give the filters."""
        return _filters(TransitionFilters, self)


class _SlaFilters(Question):
    """About SLA evaluations."""

    status: list[SlaStatus] = Field([], max_length=MAX_VALUES)
    due_before: Time | None = Field(None, description="Only with a deadline before this time.")
    queue: Texts = []
    agent: Texts = []
    channel: Texts = []
    tag: Texts = []
    csid: int | None = Field(None, ge=1, le=MAX_CSID)

    def filters(self) -> SlaFilters:
        """Give the filters."""
        return _filters(SlaFilters, self)


class SlaQuestion(_SlaFilters, Paged):
    """About SLA evaluations, a page of them."""


class AttainmentQuestion(_SlaFilters):
    """About shares of SLA evaluations."""

    by: Literal["queue", "agent", "channel", "tag"] | None = None


class DailyQuestion(Question):
    """About days."""

    since: Time | None = Field(None, description="Only transitions at or after this time.")
    until: Time | None = Field(None, description="Only transitions before this time.")

    def filters(self) -> TransitionFilters:
        """Give the filters."""
        return _filters(TransitionFilters, self)


class BansQuestion(Paged):
    """About bans."""

    banned: bool | None = Field(None, description="Only who is banned now, or who was.")

    def fits(self, ban: Ban) -> bool:
        """Tell whether a ban fits."""
        wanted = self.organization in (None, ban.organization_id or "")
        return wanted and self.banned in (None, ban.banned)


def _filters(kind: type[F], question: BaseModel) -> F:
    """Take over what a question has in common with the filters."""
    given = {name: getattr(question, name, None) for name in kind.__struct_fields__}
    return convert({name: value for name, value in given.items() if value is not None}, kind)


async def require_once(request: Request) -> None:
    """Refuse a parameter that is given several times and means one thing only.

    Raises `InvalidInputError`.
    """
    names = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in names.items():
        if times > 1 and name not in _REPEATED:
            raise InvalidInputError(f"{shorten(name)}: expected once, got {times} times")


_REPEATED = frozenset(
    name
    for question in (ListQuestion, SlaQuestion)
    for name, field in question.model_fields.items()
    if field.default == []
)


def next_page(request: Request, key: str) -> str:
    """Give the address of the next page, relative to this server: the same query with a key."""
    query = [
        (name, value)
        for name, value in parse_qsl(request.url.query, keep_blank_values=True)
        if name != "pageKey"
    ]
    return f"{request.url.path}?{urlencode([*query, ('pageKey', key)])}"


def told(error: RequestValidationError) -> tuple[str, list[dict[str, str]]]:
    """Say what was expected of the first wrong value, and what came; and list the first few."""
    wrong = [
        {
            "parameter": shorten(".".join(str(part) for part in item["loc"][1:])),
            "expected": _expected(item),
            "got": shorten(str(item.get("input"))),
        }
        for item in error.errors()[:_SHOWN]
    ]
    first = wrong[0]
    return "{parameter}: expected {expected}, got {got!r}".format(**first), wrong


_EXPECTED = {
    "extra_forbidden": "no parameter of this name",
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
}


def _expected(item: dict[str, Any]) -> str:
    if item["type"] == "value_error":  # our own message says both
        return str(item["ctx"]["error"]).removeprefix("expected ").partition(", got")[0]
    message: str = _EXPECTED.get(item["type"], item["msg"])
    return message.removeprefix("Input should be ").removeprefix("Value error, ")
