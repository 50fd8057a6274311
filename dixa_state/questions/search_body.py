"""Dixa's search body as it is described to users: the canonical nesting, field by field.

`search.read_search` reads all of this and a little more. Two things that it refuses no schema can
tell: a moment `Between` that ends before it begins, and more than a thousand values in all.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from dixa_state.dixa.streams import MAX_CSID
from dixa_state.questions.search import (
    MAX_CONDITIONS,
    MAX_TEXT,
    MAX_VALUES,
    Search,
    Strategy,
    read_search,
)
from dixa_state.questions.search_values import MAX_SECONDS

EXAMPLES: list[JsonValue] = [
    {
        "query": {"value": "tent", "exactMatch": True},
        "filters": {
            "strategy": "All",
            "conditions": [
                {
                    "field": {
                        "_type": "Status",
                        "operator": {"_type": "IsOneOf", "values": ["Open", "Pending"]},
                    }
                },
                {
                    "field": {
                        "_type": "CreationDate",
                        "operator": {
                            "_type": "Between",
                            "from": "2026-03-02T00:00:00Z",
                            "to": "2026-03-03T00:00:00Z",
                        },
                    }
                },
            ],
        },
    },
    {
        "filters": {
            "strategy": "Any",
            "conditions": [
                {
                    "field": {
                        "_type": "TagId",
                        "operator": {"_type": "IncludesOne", "values": ["delivery"]},
                    }
                },
                {
                    "field": {
                        "_type": "CustomAttribute",
                        "id": "order_number",
                        "operator": {"_type": "IsOneOf", "values": ["AU-1187"]},
                    }
                },
                {
                    "field": {
                        "_type": "Duration",
                        "operator": {"_type": "LongerThanOrEqualTo", "value": "PT1H30M"},
                    }
                },
            ],
        }
    },
]

_ISO = r"^P(?=.)([0-9]{1,2}W)?([0-9]{1,3}D)?(T(?=.)([0-9]{1,4}H)?([0-9]{1,6}M)?([0-9]{1,8}S)?)?$"

Text = Annotated[str, Field(min_length=1)]
Status = Literal[
    "Open", "AwaitingPending", "Pending", "Closed", "open", "pending", "closed", "abandoned"
]
Csid = Annotated[int, Field(ge=1, le=MAX_CSID, strict=True)]
Value = Text | bool | Annotated[float, Field(ge=-(2**53), le=2**53)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Iso = Annotated[str, Field(json_schema_extra={"pattern": _ISO})]
_SEVERAL = Field(min_length=1, max_length=MAX_VALUES)
_TYPE = Field(alias="_type")


class _Part(BaseModel):
    """A part of the body; it has no members but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IsAmong(_Part):
    """The field has one of these values, or none of them."""

    type_: Literal["IsOneOf", "IsNotOneOf"] = _TYPE
    values: list[Text] = _SEVERAL


class StatusIsAmong(_Part):
    """The status is one of these: Dixa's words, or ours in lower case."""

    type_: Literal["IsOneOf", "IsNotOneOf"] = _TYPE
    values: list[Status] = _SEVERAL


class NumberIsAmong(_Part):
    """The number is one of these, or none of them."""

    type_: Literal["IsOneOf", "IsNotOneOf"] = _TYPE
    values: list[Csid] = _SEVERAL


class HasAny(_Part):
    """The field has no value, or has any."""

    type_: Literal["IsEmpty", "IsNotEmpty"] = _TYPE


class Includes(_Part):
    """Of several values: has all of these, at least one, none of them, or lacks at least one."""

    type_: Literal["IncludesAll", "IncludesOne", "ExcludesAll", "ExcludesOne"] = _TYPE
    values: list[Text] = _SEVERAL


class ValueIncludes(_Part):
    """The same of the values of a custom attribute."""

    type_: Literal[
        "IsOneOf", "IsNotOneOf", "IncludesAll", "IncludesOne", "ExcludesAll", "ExcludesOne"
    ] = _TYPE
    values: list[Value] = _SEVERAL


class Bound(_Part):
    """At or after a time, or before it."""

    type_: Literal["Since", "Until"] = _TYPE
    value: AwareDatetime


class Span(_Part):
    """At or after one time and before another."""

    type_: Literal["Between"] = _TYPE
    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime


class Length(_Part):
    """So long or longer, or so long or shorter: seconds, or ISO 8601 such as PT1H30M."""

    type_: Literal["LongerThanOrEqualTo", "ShorterThanOrEqualTo"] = _TYPE
    value: Seconds | Iso


class StatusField(_Part):
    """The status; Dixa's `Closed` finds what was abandoned too."""

    type_: Literal["Status"] = _TYPE
    operator: StatusIsAmong


class WordField(_Part):
    """The channel or the direction, in the spelling of the webhooks or of the REST API."""

    type_: Literal["Channel", "Direction"] = _TYPE
    operator: IsAmong


class IdField(_Part):
    """The id of the agent, of the queue, or of the end user."""

    type_: Literal["AgentId", "QueueId", "ContactId"] = _TYPE
    operator: IsAmong | HasAny


class NumberField(_Part):
    """The number of the conversation."""

    type_: Literal["ConversationId"] = _TYPE
    operator: NumberIsAmong


class TagField(_Part):
    """The tags that it has now, by id or name."""

    type_: Literal["TagId"] = _TYPE
    operator: Includes | HasAny


class TimeField(_Part):
    """A time that every conversation has."""

    type_: Literal["CreationDate", "LastActivity"] = _TYPE
    operator: Bound | Span


class PerhapsTimeField(_Part):
    """A time that a conversation may have."""

    type_: Literal["ClosedDate", "AssignedDate", "LastMessage"] = _TYPE
    operator: Bound | Span | HasAny


class DurationField(_Part):
    """From creation to the last close, or to now where it still runs."""

    type_: Literal["Duration"] = _TYPE
    operator: Length


class AttributeField(_Part):
    """A custom attribute, by its id or identifier."""

    type_: Literal["CustomAttribute"] = _TYPE
    id: Text
    operator: ValueIncludes | HasAny


class SearchCondition(_Part):
    """One condition."""

    field: Annotated[
        StatusField
        | WordField
        | IdField
        | NumberField
        | TagField
        | TimeField
        | PerhapsTimeField
        | DurationField
        | AttributeField,
        Field(discriminator="type_"),
    ]


class SearchQuery(_Part):
    """Words to be found, by their beginnings, or with `exactMatch` as whole words."""

    value: str = Field(max_length=MAX_TEXT)
    exact_match: bool = Field(default=False, alias="exactMatch")


class SearchFilters(_Part):
    """Conditions, all or any of which must hold."""

    strategy: Strategy = "All"
    conditions: list[SearchCondition] = Field(default=[], max_length=MAX_CONDITIONS)


class SearchBody(_Part):
    """What to look for; without words and conditions every conversation fits."""

    model_config = ConfigDict(json_schema_extra={"examples": EXAMPLES})

    query: SearchQuery | None = None
    filters: SearchFilters | None = None

    def to_search(self) -> Search:
        """Read it as `read_search` reads any body, and raise what that raises."""
        return read_search(self.model_dump(mode="json", by_alias=True, exclude_none=True))
