"""From the values of a filter to the conditions on rows that they stand for."""

from datetime import datetime

from dixa_state.dixa.streams import read_csid
from dixa_state.errors import InvalidInputError
from dixa_state.questions.conditions import Between, Condition, IsSet, OneOf, Tagged, Worded
from dixa_state.questions.periods import require_order
from dixa_state.questions.question import NONE
from dixa_state.views.tables import micros
from dixa_state.views.texts import findable, storable, words

MAX_WORDS = 50


def of_conversation(organization: str | None, csid: int | None = None) -> list[Condition]:
    """Return the conditions that pick an organization, and a conversation."""
    made: list[Condition] = []
    if organization is not None:
        owner = storable(_whole(organization))
        made.append(OneOf(("organization_id",), (owner,), none=organization == ""))
    if csid is not None:
        made.append(OneOf(("csid",), (read_csid(csid),)))
    return made


def one_of(
    columns: tuple[str, ...], values: tuple[str, ...], *, or_none: bool = False
) -> list[Condition]:
    """Return the condition that a column has one of the values; `or_none` lets `none` be one."""
    if not values:
        return []
    none = or_none and NONE in values
    wanted = tuple(as_stored(value) for value in values if not (or_none and value == NONE))
    return [OneOf(columns, wanted, none=none)]


def in_capitals(names: tuple[str, ...]) -> tuple[str, ...]:
    """Spell channels and directions as webhooks do."""
    return tuple(name if name == NONE else name.upper() for name in names)


def tagged(tags: tuple[str, ...], kind: type[Tagged] = Tagged) -> list[Condition]:
    """Return the condition that a conversation has one of the tags now, or what `kind` says."""
    if not tags:
        return []
    wanted = tuple(as_stored(tag) for tag in tags if tag != NONE)
    return [kind(wanted, none=NONE in tags)]


def worded(name: str, text: str | None, *, whole: bool = False) -> list[Condition]:
    """Return the conditions that find every word of a text, as a beginning or as a whole word.

    Raises `InvalidInputError` for more words than `MAX_WORDS`.
    """
    found = sorted(words([text]))
    if len(found) > MAX_WORDS:
        raise InvalidInputError(f"{name}: expected at most {MAX_WORDS} words, got {len(found)}")
    return [Worded(word, whole=whole) for word in found]


def between(
    name: str, column: str, since: datetime | None, until: datetime | None
) -> list[Condition]:
    """Return the condition that a time is at or after `since` and before `until`.

    Raises `InvalidInputError` if the two are the wrong way round; `name` is the filter's.
    """
    if since is None and until is None:
        return []
    require_order(name, since, until)
    low = None if since is None else micros(since)
    high = None if until is None else micros(until)
    return [Between(column, low, high)]


def is_set(column: str, kind: str = "boolean", *, wanted: bool) -> list[Condition]:
    """Return the condition that a column says yes, if that is wanted."""
    return [IsSet(column, kind)] if wanted else []


def as_stored(text: str) -> str:
    """Spell a text as the views do, in the columns by which rows are found."""
    return findable(_whole(text)) or ""


def _whole(text: str) -> str:
    """Replace halves of surrogate pairs, as a terminal may send them: they are in no row."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
