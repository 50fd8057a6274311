"""Dixa's search body, read: what `POST /v1/search/conversations` asks for.

Dixa publishes neither the nesting of a condition nor what its operators mean to the last detail;
the canonical nesting is described in `search_body`, and here whatever says the same is read too:

- `{"field": {"_type": "Status", "operator": {"_type": "IsOneOf", "values": ["Open"]}}}`
- `{"_type": "Status", "operator": {"_type": "IsOneOf", "values": ["Open"]}}`
- `{"field": "Status", "operator": "IsOneOf", "values": ["Open"]}`, or `"value": "Open"`

All else is refused, so that no part of a question is passed over in silence.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar

from msgspec import Struct

from dixa_state.domain.timestamps import format_time
from dixa_state.errors import ConflictError, InvalidInputError
from dixa_state.questions.filters import worded
from dixa_state.questions.search_values import (
    Parts,
    read_attribute_value,
    read_number,
    read_seconds,
    read_status,
    read_text,
    read_time,
    require_object,
    told,
)

MAX_CONDITIONS = 50
MAX_VALUES = 200
MAX_VALUES_TOGETHER = 1_000
MAX_TEXT = 200

Strategy = Literal["All", "Any"]
T = TypeVar("T")

CHOICE = ("IsOneOf", "IsNotOneOf")
PRESENCE = ("IsEmpty", "IsNotEmpty")
SETS = ("IncludesAll", "IncludesOne", "ExcludesAll", "ExcludesOne")
MOMENTS = ("Since", "Until", "Between")
LENGTHS = ("LongerThanOrEqualTo", "ShorterThanOrEqualTo")
OPERATORS: dict[str, tuple[str, ...]] = {
    "Status": CHOICE,
    "Channel": CHOICE,
    "Direction": CHOICE,
    "AgentId": CHOICE + PRESENCE,
    "QueueId": CHOICE + PRESENCE,
    "ContactId": CHOICE + PRESENCE,
    "ConversationId": CHOICE,
    "TagId": SETS + PRESENCE,
    "CreationDate": MOMENTS,
    "ClosedDate": MOMENTS + PRESENCE,
    "AssignedDate": MOMENTS + PRESENCE,
    "LastActivity": MOMENTS,
    "LastMessage": MOMENTS + PRESENCE,
    "Duration": LENGTHS,
    "CustomAttribute": CHOICE + SETS + PRESENCE,
}
"""The fields, each with the operators that it takes."""


class Asked(Struct, frozen=True, omit_defaults=True):
    """One condition: a field, an operator, and whatever the operator compares with.

    `attribute` is the id or identifier of a custom attribute. A moment is at or after `since` and
    before `until`.
    """

    field: str
    operator: str
    values: tuple[str | int, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    seconds: float | None = None
    attribute: str | None = None


class Search(Struct, frozen=True, omit_defaults=True):
    """What is looked for: words, by their beginnings or `exact`, and all or any of the conditions.

    Words must be found whatever the strategy. Without words and conditions everything fits.
    """

    text: str | None = None
    exact: bool = False
    strategy: Strategy = "All"
    conditions: tuple[Asked, ...] = ()


def read_search(body: object) -> Search:
    """Read a search body that came as JSON and is decoded already.

    Raises `InvalidInputError` for whatever else it may be, with a message of one line.
    """
    parts = require_object("search", body, ("query", "filters"))
    text, exact = _query(parts.get("query"))
    strategy, conditions = _filters(parts.get("filters"))
    return Search(text, exact, strategy, conditions)


def _query(value: object) -> tuple[str | None, bool]:
    if value is None:
        return None, False
    parts = require_object("query", value, ("value", "exactMatch"))
    text, exact = parts.get("value"), parts.get("exactMatch")
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise InvalidInputError(
            f"query.value: expected a text of at most {MAX_TEXT} characters, got {told(text)}"
        )
    worded("query.value", text)
    if not isinstance(exact, bool | None):
        raise InvalidInputError(f"query.exactMatch: expected true or false, got {told(exact)}")
    return text, bool(exact)


def _filters(value: object) -> tuple[Strategy, tuple[Asked, ...]]:
    if value is None:
        return "All", ()
    parts = require_object("filters", value, ("strategy", "conditions"))
    listed = _list("filters.conditions", parts.get("conditions"))
    if len(listed) > MAX_CONDITIONS:
        raise InvalidInputError(
            f"filters.conditions: expected at most {MAX_CONDITIONS}, got {len(listed)}"
        )
    asked = tuple(
        _condition(f"filters.conditions[{number}]", one) for number, one in enumerate(listed)
    )
    together = sum(len(one.values) for one in asked)
    if together > MAX_VALUES_TOGETHER:
        raise InvalidInputError(
            f"filters.conditions: expected at most {MAX_VALUES_TOGETHER} values in all of them, "
            f"got {together}"
        )
    return _strategy(parts.get("strategy")), asked


def _strategy(value: object) -> Strategy:
    match value:
        case None | "All":
            return "All"
        case "Any":
            return "Any"
        case _:
            raise InvalidInputError(f"filters.strategy: expected All or Any, got {told(value)}")


def _list(where: str, value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInputError(f"{where}: expected a list, got {told(value)}")
    return value


class _Flat(NamedTuple):
    """A condition without its nesting; `parts` is all but the names of field and operator."""

    where: str
    field: str
    operator: str
    parts: Parts


def _condition(where: str, value: object) -> Asked:
    flat = _flattened(where, value)
    attribute = _attribute(flat) if flat.field == "CustomAttribute" else None
    asked = _compared(flat, attribute)
    if flat.parts:
        name, rest = next(iter(flat.parts.items()))
        raise InvalidInputError(
            f"{where}: expected nothing else with {flat.field} {flat.operator}, "
            f"got {told(name)}: {told(rest)}"
        )
    return asked


def _flattened(where: str, value: object) -> _Flat:
    """Lay field and operator beside each other, however they are nested."""
    parts = dict(require_object(where, value))
    field = _unfolded(where, parts, "field")
    operator = _unfolded(where, parts, "operator")
    if field is None:
        field = parts.pop("_type", None)
    allowed = OPERATORS.get(field) if isinstance(field, str) else None
    if not isinstance(field, str) or allowed is None:
        raise InvalidInputError(
            f"{where}: expected a field, one of {', '.join(OPERATORS)}, got {told(field)}"
        )
    if not isinstance(operator, str) or operator not in allowed:
        raise InvalidInputError(
            f"{where}: expected an operator that {field} takes, {', '.join(allowed)}, "
            f"got {told(operator)}"
        )
    return _Flat(where, field, operator, parts)


def _unfolded(where: str, parts: Parts, name: str) -> object:
    """Take out what `name` names; where it is an object, lay its other members beside the rest."""
    value = parts.pop(name, None)
    if not isinstance(value, dict):
        return value
    inner = dict(value)
    kind = inner.pop("_type", None)
    for twice in inner.keys() & parts.keys():
        raise InvalidInputError(f"{where}: expected {told(twice)} once, got it twice")
    parts.update(inner)
    return kind


def _attribute(flat: _Flat) -> str:
    given = [flat.parts.pop(name, None) for name in ("id", "identifier")]
    named = [one for one in given if one is not None]
    if len(named) != 1:
        came = "both" if named else "neither"
        raise InvalidInputError(
            f"{flat.where}: expected the id or the identifier of a custom attribute, got {came}"
        )
    return read_text(f"{flat.where}.id", named[0])


def _compared(flat: _Flat, attribute: str | None) -> Asked:
    field, operator = flat.field, flat.operator
    if operator in PRESENCE:
        return Asked(field, operator, attribute=attribute)
    if operator in MOMENTS:
        since, until = _times(flat)
        return Asked(field, operator, since=since, until=until)
    if operator in LENGTHS:
        [seconds] = _values(flat, read_seconds, most=1)
        return Asked(field, operator, seconds=seconds)
    read = _READERS.get(field, read_text)
    return Asked(field, operator, tuple(_values(flat, read)), attribute=attribute)


_READERS: dict[str, Callable[[str, object], str | int]] = {
    "Status": read_status,
    "ConversationId": read_number,
    "CustomAttribute": read_attribute_value,
}


def _values(flat: _Flat, read: Callable[[str, object], T], most: int = MAX_VALUES) -> list[T]:
    found = _given(flat)
    if not 1 <= len(found) <= most:
        wanted = "one value" if most == 1 else f"1 to {most} values"
        raise InvalidInputError(f"{flat.where}: expected {wanted}, got {len(found)}")
    return [read(f"{flat.where}.values[{number}]", one) for number, one in enumerate(found)]


def _given(flat: _Flat) -> list[object]:
    """Take out the values: of `value` and `values` one, a single value or a list."""
    given = [flat.parts.pop(name, None) for name in ("value", "values")]
    both = [one for one in given if one is not None]
    if len(both) == len(given):
        raise InvalidInputError(f"{flat.where}: expected value or values, got both")
    if not both:
        return []
    return both[0] if isinstance(both[0], list) else both


_SINCE, _UNTIL = ("from", "since", "start"), ("to", "until", "end")


def _times(flat: _Flat) -> tuple[datetime | None, datetime | None]:
    match flat.operator:
        case "Since":
            return _ends(flat, (_SINCE,))[0], None
        case "Until":
            return None, _ends(flat, (_UNTIL,))[0]
        case _:
            since, until = _ends(flat, (_SINCE, _UNTIL))
    if since > until:
        raise ConflictError(
            f"{flat.where}: expected a beginning before the end {format_time(until)}, "
            f"got {format_time(since)}"
        )
    return since, until


def _ends(flat: _Flat, names: Sequence[Sequence[str]]) -> list[datetime]:
    """Read the times, given by one name each, or together as values."""
    named = [[flat.parts.pop(name, None) for name in synonyms] for synonyms in names]
    found = [[one for one in some if one is not None] for some in named]
    listed = _given(flat)
    if not any(found):
        found = [[one] for one in listed]
    elif listed:
        found.append(listed)
    if len(found) != len(names) or any(len(some) != 1 for some in found):
        wanted = "a value" if len(names) == 1 else "from and to"
        came = sum(map(len, found))
        raise InvalidInputError(
            f"{flat.where}: expected {wanted} of {flat.operator}, once, got {came} times"
        )
    return [read_time(flat.where, some[0]) for some in found]
