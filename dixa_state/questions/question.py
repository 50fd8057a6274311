"""What every question has in common: the types of its fields, and the pages of its answer.

A question is a pydantic model with a description per field; its method `answer` says what type the
answer has. HTTP parameters, the command's options, OpenAPI and the library call derive from it.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from dixa_state.dixa.streams import MAX_CSID
from dixa_state.domain.timestamps import format_time, parse_time, shorten
from dixa_state.errors import InvalidInputError
from dixa_state.questions.periods import read_moment

if TYPE_CHECKING:
    from dixa_state.questions.reader import Reader

LIMIT, MAX_LIMIT = 50, 200
MAX_VALUES = 100
"""Values that one filter may have."""

NONE = "none"
"""The value of a filter that stands for no queue, nobody, or no tag."""

_MAX_TEXT = 500
_MAX_KEY = 4_000
_MAX_REPR = 76

A_co = TypeVar("A_co", covariant=True)
T = TypeVar("T")
_TIME_SCHEMA = {"type": "string", "format": "date-time", "examples": ["2026-03-02T08:30:00.000Z"]}


def _parse(value: object) -> datetime:
    """Read a time; a datetime without a zone is in UTC, as a text without one is."""
    if isinstance(value, datetime):
        return parse_time(value.isoformat())
    return read_moment(str(value), datetime.now(UTC), ZoneInfo("UTC"))


Moment = Annotated[datetime, BeforeValidator(_parse), WithJsonSchema(_TIME_SCHEMA)]
"""A time in a question: RFC 3339, or what else `read_moment` reads, in UTC."""

Time = Annotated[
    datetime, PlainSerializer(format_time, str, when_used="json"), WithJsonSchema(_TIME_SCHEMA)
]
"""A time in an answer: RFC 3339 in UTC with `Z`."""


class NamesOf(NamedTuple):
    """The mark of a field whose values must be names of something known."""

    kind: Literal["queue", "assignee", "agent", "tag"]


Text = Annotated[str, Field(max_length=_MAX_TEXT)]
Texts = Annotated[tuple[Text, ...], Field(max_length=MAX_VALUES)]
Queues = Annotated[
    Texts, NamesOf("queue"), Field(description="The id or name of a queue, or `none`.")
]
Assignees = Annotated[
    Texts, NamesOf("assignee"), Field(description="The id, name or email of an agent, or `none`.")
]
Agents = Annotated[
    Texts, NamesOf("agent"), Field(description="The id or name of an agent, or `none`.")
]
Tags = Annotated[Texts, NamesOf("tag"), Field(description="The name of a tag, or `none`.")]
Csid = Annotated[
    int, Field(ge=1, le=MAX_CSID, description="The number of a conversation.", examples=[70431])
]
Position = Annotated[
    int, Field(ge=1, le=MAX_CSID, description="The store position of an event.", examples=[17])
]
AsOf = Annotated[Moment | None, Field(description="As it was at that time, which has passed.")]
KnownAt = Annotated[Moment | None, Field(description="By what had been received until that time.")]


class Answer(BaseModel):
    """A part of the JSON that programs rely on; a field without a value is null, never absent."""

    model_config = ConfigDict(
        frozen=True,
        from_attributes=True,  # the parts of a state have the names that JSON has
        populate_by_name=True,
        defer_build=True,  # a command builds the models of its own answer only: it starts sooner
    )

    def __repr__(self) -> str:
        """Return the first fields that have a value, on one line."""
        shown = f"{type(self).__name__}("
        for name in type(self).model_fields:
            value = getattr(self, name)
            part = f"{name}={value!r}, "
            if value in (None, [], {}) or len(part) > _MAX_REPR:
                continue
            if len(shown) + len(part) > _MAX_REPR:
                return f"{shown}…)"
            shown += part
        return f"{shown.removesuffix(', ')})"

    __str__ = __repr__


class OfConversation(Answer):
    """A part of an answer that is about one conversation."""

    organization_id: str | None = Field(description="The organization's id at Dixa.")
    csid: int = Field(description="The number of the conversation.")


class Question(BaseModel, Generic[A_co]):
    """A question about the conversations of a store."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)

    organization: Annotated[
        Text | None,
        Field(description="The organization's id or name, where the store holds several."),
    ] = None
    min_position: Annotated[
        int | None,
        Field(
            ge=0,
            le=MAX_CSID,
            description="Answer from no earlier state than that of this store position.",
        ),
    ] = None

    @abstractmethod
    def answer(self, reader: "Reader") -> A_co:
        """Return the answer.

        Raises `InvalidInputError` for what no answer can have, `NotFoundError` where there is
        nothing by that name, `SchemaError` if the views are of another version.
        """


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, the key of the next page if there is one, and the position they are all of."""

    items: list[T]
    next_key: str | None
    position: int

    def mapped(self, make: Any) -> "Page[Any]":
        """Return the page with something made of each item."""
        return Page([make(item) for item in self.items], self.next_key, self.position)


class PagedQuestion(Question[Page[T]], Generic[T]):
    """A question whose answer comes in pages."""

    page_limit: int = Field(
        LIMIT, alias="pageLimit", ge=1, le=MAX_LIMIT, description="Items on a page."
    )
    page_key: str | None = Field(
        None,
        alias="pageKey",
        max_length=_MAX_KEY,
        description="Where the page begins: take it from `meta.next`.",
    )

    def every(self, reader: "Reader") -> Iterator[T]:
        """Yield the items of all pages."""
        key = self.page_key
        while True:
            update = {"page_limit": MAX_LIMIT, "page_key": key}
            page = self.model_copy(update=update).answer(reader)
            yield from page.items
            if (key := page.next_key) is None:
                return

    @property
    def asked(self) -> str:
        """Return what is asked, apart from the page: a page key holds for this question alone."""
        apart = {"page_limit", "page_key", "min_position"}
        return f"{type(self).__name__} {self.model_dump_json(exclude=apart, exclude_defaults=True)}"


def moments(question: BaseModel) -> dict[str, str]:
    """Return the times in a question, by their parameters: what `-7d` means on all pages."""
    return {
        field.alias or name: format_time(value)
        for name, field in type(question).model_fields.items()
        if isinstance(value := getattr(question, name), datetime)
    }


def require_past(now: datetime, **moments: datetime | None) -> None:
    """Raise `InvalidInputError` if one of the moments is to come."""
    for name, moment in moments.items():
        if moment is not None and moment > now:
            raise InvalidInputError(
                f"{name}: expected a time up to now, {format_time(now)}, got {format_time(moment)}"
            )


_SHOWN = 20
_EXPECTED = {
    "extra_forbidden": "no parameter of this name",
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "missing": "a value",
    "json_invalid": "JSON",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} values",
    "too_long": "at most {max_length} values",
    "tuple_type": "a list",
    "union_tag_invalid": "one of {expected_tags}",
    "union_tag_not_found": "an object with `_type`",
}


def describe_errors(errors: Iterable[Any], skip: int = 0) -> tuple[str, list[dict[str, str]]]:
    """Return what was expected of the first wrong value and what came, and the first few of all.

    `errors` are pydantic's; `skip` is how many parts of their place the reader does not know of.
    """
    wrong = [
        {
            "parameter": _in_one_line(".".join(str(part) for part in item["loc"][skip:])),
            "expected": _expected(item),
            "got": shorten(str(item.get("input"))).encode(errors="backslashreplace").decode(),
        }
        for item in list(errors)[:_SHOWN]
    ]
    message = "{parameter}: expected {expected}, got {got!r}".format(**wrong[0])
    return message.removeprefix(": "), wrong


def _in_one_line(text: str) -> str:
    return shorten(repr(text)[1:-1])


def _expected(item: Any) -> str:
    if item["type"] == "value_error":  # our own message says both
        return str(item["ctx"]["error"]).rpartition("expected ")[2].partition(", got")[0]
    if item["type"] in _EXPECTED:
        return _EXPECTED[item["type"]].format(**item.get("ctx", {}))
    message: str = item["msg"]
    return message.removeprefix("Input should be ").removeprefix("Value error, ")
