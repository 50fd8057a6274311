"""Dixa's own search body, and the conditions that its fields and operators stand for.

Dixa's words, where they leave a choice, mean here:

- *Status*: `open`, `pending`, `closed` and `abandoned`, in lower case, are our own statuses. In any
  other case they are Dixa's, which knows no abandonment: `Closed` finds what was abandoned as well.
  `AwaitingPending` finds what Dixa's newest snapshot showed so; to us it is still open, and `Open`
  finds it too.
- *IsNotOneOf* holds as well of what has no value at all.
- *IncludesAll*: has all of these; *IncludesOne*: has at least one of them; *ExcludesAll*: has none
  of them; *ExcludesOne*: lacks at least one of them.
- *Since* is at or after, *Until* before; *Between* is both.
- *ClosedDate* is the last close or abandonment, also of what was opened again since.
- *AssignedDate* is since when the agent who has the conversation now has had it.
- *Duration* is from creation to the last close or abandonment, or to now where it still runs.
- *AgentId*, *QueueId*, *ContactId*: ids, or what stands for one that Dixa did not show. *TagId* and
  the name of a *CustomAttribute*: an id, or the name that it goes by.
"""

import re
from collections.abc import Callable
from functools import partial
from math import inf, isfinite, nextafter
from operator import attrgetter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from dixa_state.dixa.fields import spelling
from dixa_state.dixa.streams import MAX_CSID, read_csid
from dixa_state.domain import conversation as domain
from dixa_state.domain.lifecycle import ENDED, STATUSES
from dixa_state.questions.conditions import (
    AllOf,
    AnyOf,
    Attributed,
    Between,
    Condition,
    HasValue,
    Labelled,
    NoneOf,
    OneOf,
)
from dixa_state.questions.conversation import Conversation, describe
from dixa_state.questions.conversations import Sort, by_sort, with_place
from dixa_state.questions.filters import as_stored, of_conversation, worded
from dixa_state.questions.question import Moment, Page, PagedQuestion
from dixa_state.questions.reader import Reader
from dixa_state.views.tables import micros
from dixa_state.views.texts import attribute_text

MAX_CONDITIONS = 50
MAX_VALUES = 200
MAX_VALUES_TOGETHER = 1_000
MAX_TEXT = 200
MAX_SECONDS = 10_000_000_000
"""More than three hundred years: far beyond any conversation, near enough to be reckoned with."""

_OURS: dict[str, tuple[str, ...]] = {
    "Open": ("open",),
    "AwaitingPending": (),
    "Pending": ("pending",),
    "Closed": ENDED,
}
"""Our statuses for each of Dixa's, as its REST API writes them."""

_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=.)(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?"
    r"(?:(?P<seconds>[0-9]{1,11}(?:\.[0-9]{1,9})?)S)?)?"
)
_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_STATUSES = {spelling(status): status for status in (*_OURS, "abandoned")}


def _read_status(value: str) -> str:
    """Read a status: one of ours in lower case, or else Dixa's, however it is spelled."""
    found = value if value in STATUSES else _STATUSES.get(spelling(value))
    if found is None:
        raise ValueError(f"expected one of {', '.join((*_OURS, *STATUSES))}, got it")
    return found


def _read_seconds(value: Any) -> Any:
    """Read ISO 8601 in weeks, days, hours, minutes, seconds; months are not of one length."""
    if not isinstance(value, str | bool):
        return value
    match = _DURATION.fullmatch(str(value))
    if match is None:
        raise ValueError("expected seconds, or a duration such as PT1H30M, got it")
    given = {name: amount for name, amount in match.groupdict().items() if amount}
    return sum(float(amount) * _SECONDS[name] for name, amount in given.items())


def _read_attribute_value(value: Any) -> str:
    try:
        fits = isinstance(value, str | bool) or (isinstance(value, int | float) and isfinite(value))
        text = attribute_text(value) if fits else ""
    except OverflowError:  # a whole number beyond every float
        text = ""
    if not text:
        raise ValueError("expected a text that is not empty, a number, true or false, got it")
    return text


Text = Annotated[str, Field(min_length=1)]
Status = Annotated[
    str,
    AfterValidator(_read_status),
    WithJsonSchema({"type": "string", "enum": [*_OURS, *STATUSES]}),
]
Csid = Annotated[
    int,
    BeforeValidator(read_csid),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_CSID}),
]
Value = Annotated[
    str,
    BeforeValidator(_read_attribute_value),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "number"}, {"type": "boolean"}]}
    ),
]
Seconds = Annotated[
    float,
    BeforeValidator(_read_seconds),
    Field(ge=0, le=MAX_SECONDS),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": MAX_SECONDS},
                {"type": "string", "format": "duration", "examples": ["PT1H30M"]},
            ]
        }
    ),
]
_SEVERAL = Field(min_length=1, max_length=MAX_VALUES, description="The values to compare with.")
_TYPE = Field(alias="_type", description="What it is.")
_OPERATOR = Field(description="What is asked of the field.")
_OPERATORS = Field(discriminator="type_", description="What is asked of the field.")


class _Part(BaseModel):
    """A part of the body; it has no members but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


class IsAmong(_Part):
    """The field has one of these values, or none of them."""

    type_: Literal["IsOneOf", "IsNotOneOf"] = _TYPE
    values: tuple[Text, ...] = _SEVERAL


class StatusIsAmong(_Part):
    """The status is one of these, or none of them: Dixa's words, or ours in lower case."""

    type_: Literal["IsOneOf", "IsNotOneOf"] = _TYPE
    values: tuple[Status, ...] = _SEVERAL


class NumberIsAmong(_Part):
    """The number is one of these, or none of them."""

    type_: Literal["IsOneOf", "IsNotOneOf"] = _TYPE
    values: tuple[Csid, ...] = _SEVERAL


class HasAny(_Part):
    """The field has no value, or has any."""

    type_: Literal["IsEmpty", "IsNotEmpty"] = _TYPE


class Includes(_Part):
    """Of several values: has all of these, at least one, none of them, or lacks at least one."""

    type_: Literal["IncludesAll", "IncludesOne", "ExcludesAll", "ExcludesOne"] = _TYPE
    values: tuple[Text, ...] = _SEVERAL


class ValueIncludes(_Part):
    """The same of the values of a custom attribute."""

    type_: Literal[
        "IsOneOf", "IsNotOneOf", "IncludesAll", "IncludesOne", "ExcludesAll", "ExcludesOne"
    ] = _TYPE
    values: tuple[Value, ...] = _SEVERAL


class Bound(_Part):
    """At or after a time, or before it."""

    type_: Literal["Since", "Until"] = _TYPE
    value: Moment = Field(description="The time.")


class Span(_Part):
    """At or after one time and before another."""

    type_: Literal["Between"] = _TYPE
    from_: Moment = Field(alias="from", description="The first time.")
    to: Moment = Field(description="The second time.")

    @model_validator(mode="after")
    def _in_order(self) -> "Span":
        if self.from_ > self.to:
            raise ValueError("expected from before to, got it")
        return self


class Length(_Part):
    """So long or longer, or so long or shorter: seconds, or ISO 8601 such as PT1H30M."""

    type_: Literal["LongerThanOrEqualTo", "ShorterThanOrEqualTo"] = _TYPE
    value: Seconds = Field(description="The duration.")


class StatusField(_Part):
    """The status; Dixa's `Closed` finds what was abandoned too."""

    type_: Literal["Status"] = _TYPE
    operator: StatusIsAmong = _OPERATOR


class WordField(_Part):
    """The channel or the direction, in the spelling of the webhooks or of the REST API."""

    type_: Literal["Channel", "Direction"] = _TYPE
    operator: IsAmong = _OPERATOR


class NumberField(_Part):
    """The number of the conversation."""

    type_: Literal["ConversationId"] = _TYPE
    operator: NumberIsAmong = _OPERATOR


class TagField(_Part):
    """The tags that it has now, by id or name."""

    type_: Literal["TagId"] = _TYPE
    operator: Annotated[Includes | HasAny, _OPERATORS]


class ColumnField(_Part):
    """The id of the agent, of the queue or of the end user."""

    type_: Literal["AgentId", "QueueId", "ContactId"] = _TYPE
    operator: Annotated[IsAmong | HasAny, _OPERATORS]


class TimeField(_Part):
    """A time that every conversation has."""

    type_: Literal["CreationDate", "LastActivity"] = _TYPE
    operator: Annotated[Bound | Span, _OPERATORS]


class OptionalTimeField(_Part):
    """A time that a conversation may have."""

    type_: Literal["ClosedDate", "AssignedDate", "LastMessage"] = _TYPE
    operator: Annotated[Bound | Span | HasAny, _OPERATORS]


class DurationField(_Part):
    """From creation to the last close, or to now where it still runs."""

    type_: Literal["Duration"] = _TYPE
    operator: Length = _OPERATOR


class AttributeField(_Part):
    """A custom attribute, by its id or identifier."""

    type_: Literal["CustomAttribute"] = _TYPE
    id: Text = Field(description="The id or the identifier of the attribute.")
    operator: Annotated[ValueIncludes | HasAny, _OPERATORS]


AnyField = (
    StatusField
    | WordField
    | ColumnField
    | NumberField
    | TagField
    | TimeField
    | OptionalTimeField
    | DurationField
    | AttributeField
)


class SearchCondition(_Part):
    """One condition."""

    field: Annotated[
        AnyField, Field(discriminator="type_", description="The field, and what is asked of it.")
    ]


class SearchQuery(_Part):
    """Words to be found, by their beginnings, or with `exactMatch` as whole words."""

    value: str = Field(max_length=MAX_TEXT, description="The words.")
    exact_match: StrictBool | None = Field(
        None, alias="exactMatch", description="Whole words only."
    )


class SearchFilters(_Part):
    """Conditions, all or any of which must hold."""

    strategy: Literal["All", "Any"] | None = Field("All", description="All of them, or any.")
    conditions: tuple[SearchCondition, ...] | None = Field(
        None, max_length=MAX_CONDITIONS, description="What must hold."
    )

    @model_validator(mode="after")
    def _not_too_many(self) -> "SearchFilters":
        operators = [condition.field.operator for condition in self.conditions or ()]
        together = sum(len(getattr(operator, "values", ())) for operator in operators)
        if together > MAX_VALUES_TOGETHER:
            raise ValueError(f"expected at most {MAX_VALUES_TOGETHER} values, got {together}")
        return self


def _example(field: str, operator: str, **values: JsonValue) -> JsonValue:
    key = {"id": values.pop("id")} if "id" in values else {}
    return {"field": {"_type": field, **key, "operator": {"_type": operator, **values}}}


_DAY: dict[str, JsonValue] = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}
_EXAMPLES: list[JsonValue] = [
    {
        "query": {"value": "tent", "exactMatch": True},
        "filters": {
            "strategy": "All",
            "conditions": [
                _example("Status", "IsOneOf", values=["Open", "Pending"]),
                _example("CreationDate", "Between", **_DAY),
            ],
        },
    },
    {
        "filters": {
            "strategy": "Any",
            "conditions": [
                _example("TagId", "IncludesOne", values=["delivery"]),
                _example("CustomAttribute", "IsOneOf", id="order_number", values=["AU-1187"]),
                _example("Duration", "LongerThanOrEqualTo", value="PT1H30M"),
            ],
        }
    },
]


class SearchBody(_Part):
    """Dixa's search body; without words and conditions every conversation fits."""

    model_config = ConfigDict(json_schema_extra={"examples": _EXAMPLES})

    query: SearchQuery | None = Field(None, description="Words to be found.")
    filters: SearchFilters | None = Field(None, description="Conditions that must hold.")

    def conditions(self, now: int, organization: str | None = None) -> list[Condition]:
        """Return the conditions on the table of conversations; `now` is in microseconds.

        Words must be found whatever the strategy. Raises `InvalidInputError` for too many words.
        """
        words, filters = self.query, self.filters or SearchFilters()
        made = of_conversation(organization)
        if words is not None:
            made += worded("query.value", words.value, whole=bool(words.exact_match))
        parts = tuple(_condition(one.field, now) for one in filters.conditions or ())
        if filters.strategy == "Any" and parts:
            return [*made, AnyOf(parts)]
        return [*made, *parts]


class Search(PagedQuestion[Conversation]):
    """List the conversations that Dixa's own search body finds.

    All pages are of the moment of the first one: what still runs is measured to then.
    """

    sort: Sort = Field("-last_event_at", description="What to sort by; `-` for descending.")
    body: SearchBody = SearchBody()

    def answer(self, reader: Reader) -> Page[Conversation]:
        """Return a page of the conversations found."""
        now = reader.now()
        return self.states(reader).mapped(lambda state: describe(state, now=now))

    def states(self, reader: Reader) -> Page[domain.Conversation]:
        """Return a page of the conversations found as states."""

        def conditions_at(now: int) -> list[Condition]:
            return [*self.body.conditions(now, self.organization), *with_place(self.sort)]

        return by_sort(self.sort).page(reader, self, conditions_at).mapped(attrgetter("state"))


_COLUMNS = {
    "Channel": "channel",
    "Direction": "direction",
    "AgentId": "assignee_id",
    "QueueId": "queue_id",
    "ContactId": "requester_id",
    "CreationDate": "created_at",
    "ClosedDate": "closed_at",
    "AssignedDate": "assigned_at",
    "LastActivity": "last_event_at",
    "LastMessage": "last_message_at",
}


def _condition(field: AnyField, now: int) -> Condition:
    """Return the condition that a field and its operator stand for; `now` is in microseconds."""
    match field:
        case StatusField():
            return _status(field.operator)
        case NumberField():
            return _among(field.operator.type_, "csid", field.operator.values)
        case WordField() | ColumnField() | TimeField() | OptionalTimeField():
            spell = _in_capitals if isinstance(field, WordField) else _as_stored
            return _compared(field.operator, _COLUMNS[field.type_], spell)
        case DurationField():
            shorter = field.operator.type_ == "ShorterThanOrEqualTo"
            return _lasted(field.operator.value, now, most=shorter)
        case TagField():
            return _of_several(field.operator, Labelled)
        case AttributeField():
            return _of_several(field.operator, partial(Attributed, identifier=as_stored(field.id)))


def _compared(
    operator: IsAmong | HasAny | Bound | Span, column: str, spell: Callable[[str], tuple[str, ...]]
) -> Condition:
    """Apply an operator to a column, whose texts `spell` spells as rows have them."""
    match operator:
        case IsAmong(type_=kind, values=values):
            return _among(kind, column, tuple(key for value in values for key in spell(value)))
        case HasAny(type_=kind):
            return HasValue(column, wanted=kind == "IsNotEmpty")
        case Bound(type_=kind, value=value):
            at = micros(value)
            return Between(column, at) if kind == "Since" else Between(column, None, at)
        case Span():
            return Between(column, micros(operator.from_), micros(operator.to))


def _status(operator: StatusIsAmong) -> Condition:
    """Compare the status, and Dixa's own word where that is none of ours."""
    named = operator.values
    ours = tuple(status for value in named for status in _OURS.get(value, (value,)))
    awaiting = (spelling("AwaitingPending"),) if "AwaitingPending" in named else ()
    both = (("status", ours), ("dixa_status", awaiting))
    columns = [(column, values) for column, values in both if values]
    if operator.type_ == "IsOneOf":
        return AnyOf(tuple(OneOf((column,), values) for column, values in columns))
    return AllOf(tuple(NoneOf(column, values) for column, values in columns))


def _lasted(seconds: float, now: int, *, most: bool) -> Condition:
    """Return the condition that it took at least, or at most, so long from creation to the end.

    What has ended is judged by its duration, what still runs by its creation.
    """
    began = now - round(seconds * 1_000_000)
    if most:  # the end of a range is not in it, so it is the number after the last that is
        ended = Between("duration", None, nextafter(seconds, inf))
        running = Between("created_at", began)
    else:
        ended = Between("duration", seconds)
        running = Between("created_at", None, began + 1)
    return AnyOf((ended, AllOf((HasValue("duration", wanted=False), running))))


def _among(operator: str, column: str, values: tuple[Any, ...]) -> Condition:
    return OneOf((column,), values) if operator == "IsOneOf" else NoneOf(column, values)


def _in_capitals(value: str) -> tuple[str, ...]:
    """Spell a word as webhooks do: `WidgetChat` is `WIDGET_CHAT`, but `WhatsApp` is `WHATSAPP`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", value)
    return tuple(as_stored(spelled.upper()) for spelled in dict.fromkeys((value, apart)))


def _as_stored(value: str) -> tuple[str, ...]:
    return (as_stored(value),)


def _of_several(
    operator: Includes | ValueIncludes | HasAny, having: Callable[..., Condition]
) -> Condition:
    """Apply an operator to something that a conversation may have several of."""
    values = () if isinstance(operator, HasAny) else tuple(map(as_stored, operator.values))
    every = operator.type_ in ("IncludesAll", "ExcludesOne")
    wanted = operator.type_ in ("IsOneOf", "IncludesAll", "IncludesOne", "IsNotEmpty")
    return having(values, every=every, wanted=wanted)
