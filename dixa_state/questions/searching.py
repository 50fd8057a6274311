"""What a search comes to: the conditions that its fields and operators stand for.

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

from dixa_state.dixa.catalog import spelling
from dixa_state.questions.conditions import (
    AllOf,
    AnyOf,
    Attributed,
    Between,
    Condition,
    HasValue,
    Labelled,
    Lasted,
    NoneOf,
    OneOf,
)
from dixa_state.questions.filters import as_stored, of_conversation, worded
from dixa_state.questions.search import MOMENTS, PRESENCE, Asked, Search
from dixa_state.views.tables import micros

_COLUMNS = {
    "Status": "status",
    "Channel": "channel",
    "Direction": "direction",
    "AgentId": "assignee_id",
    "QueueId": "queue_id",
    "ContactId": "requester_id",
    "ConversationId": "csid",
    "CreationDate": "created_at",
    "ClosedDate": "closed_at",
    "AssignedDate": "assigned_at",
    "LastActivity": "last_event_at",
    "LastMessage": "last_message_at",
}
_DIXA_STATUSES: dict[str, tuple[str, ...]] = {
    "Open": ("open",),
    "Pending": ("pending",),
    "Closed": ("closed", "abandoned"),
    "AwaitingPending": (),
}


def search_conditions(search: Search, now: int, organization: str | None = None) -> list[Condition]:
    """Give the conditions on the table of conversations; `now` is in microseconds.

    Raises `InvalidInputError` for too many words.
    """
    made = of_conversation(organization, None)
    made += worded("query.value", search.text, whole=search.exact)
    parts = tuple(_condition(asked, now) for asked in search.conditions)
    if search.strategy == "All" or not parts:
        return [*made, *parts]
    return [*made, AnyOf(parts)]


def _condition(asked: Asked, now: int) -> Condition:
    match asked.field:
        case "Status":
            return _status(asked)
        case "TagId":
            keys = tuple(as_stored(str(value)) for value in asked.values)
            return _of_several(asked.operator, keys, Labelled)
        case "CustomAttribute":
            return _attribute(asked)
        case "Duration":
            shorter = asked.operator == "ShorterThanOrEqualTo"
            return Lasted(asked.seconds or 0.0, now, most=shorter)
        case _:
            return _column(_COLUMNS[asked.field], asked)


def _column(column: str, asked: Asked) -> Condition:
    if asked.operator in PRESENCE:
        return HasValue(column, wanted=asked.operator == "IsNotEmpty")
    if asked.operator in MOMENTS:
        low = None if asked.since is None else micros(asked.since)
        return Between(column, low, None if asked.until is None else micros(asked.until))
    spell = _SPELLINGS.get(asked.field, _as_it_is)
    values = tuple(spelled for value in asked.values for spelled in spell(value))
    return OneOf((column,), values) if asked.operator == "IsOneOf" else NoneOf(column, values)


def _as_it_is(value: str | int) -> tuple[str | int, ...]:
    return (as_stored(value) if isinstance(value, str) else value,)


def _in_capitals(value: str | int) -> tuple[str | int, ...]:
    """Spell a word as webhooks do: `WidgetChat` is `WIDGET_CHAT`, but `WhatsApp` is `WHATSAPP`."""
    text = str(value)
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    return tuple(as_stored(spelled.upper()) for spelled in dict.fromkeys((text, apart)))


_SPELLINGS: dict[str, Callable[[str | int], tuple[str | int, ...]]] = {
    "Channel": _in_capitals,
    "Direction": _in_capitals,
}


def _status(asked: Asked) -> Condition:
    named = [str(value) for value in asked.values]
    ours = tuple(status for value in named for status in _DIXA_STATUSES.get(value, (value,)))
    awaiting = (spelling("AwaitingPending"),) if "AwaitingPending" in named else ()
    both = (("status", ours), ("dixa_status", awaiting))
    columns = [(column, values) for column, values in both if values]
    if asked.operator == "IsOneOf":
        return AnyOf(tuple(OneOf((column,), values) for column, values in columns))
    return AllOf(tuple(NoneOf(column, values) for column, values in columns))


def _attribute(asked: Asked) -> Condition:
    name = as_stored(asked.attribute or "")

    values = tuple(as_stored(str(value)) for value in asked.values)
    return _of_several(asked.operator, values, partial(Attributed, name))


def _of_several(
    operator: str, values: tuple[str, ...], having: Callable[..., Condition]
) -> Condition:
    """Apply an operator to something that a conversation may have several of."""
    every = operator in ("IncludesAll", "ExcludesOne")
    wanted = operator in ("IsOneOf", "IncludesAll", "IncludesOne", "IsNotEmpty")
    return having(values, every=every, wanted=wanted)
