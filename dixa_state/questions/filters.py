"""What can be asked for: filters, and the conditions and orders that they come to."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from msgspec import Struct

from dixa_state.dixa.streams import read_csid
from dixa_state.domain.lifecycle import STATUSES
from dixa_state.domain.timestamps import format_time, shorten
from dixa_state.errors import ConflictError, InvalidInputError
from dixa_state.questions.conditions import (
    Between,
    Condition,
    IsSet,
    OneOf,
    Parameters,
    Tagged,
    Worded,
    where,
)
from dixa_state.views.tables import micros
from dixa_state.views.texts import findable, storable, words

SLA_STATUSES = ("pending", "breached", "achieved", "voided")
SLA_SUMMARIES = (*SLA_STATUSES, "none")
SORTS = ("-last_event_at", "last_event_at", "-created_at", "created_at", "-csid", "csid")
NOBODY = "none"
MAX_WORDS = 50


class Filters(Struct, frozen=True, omit_defaults=True):
    """Which conversations: every field that is given must fit, by one of its values.

    `queue` and `assignee` take ids or names (of an assignee also the email), `requester` an id or
    an email; `none` stands for nobody, no queue, no tag. `text` finds words by their beginnings in
    subject and requester. Times are at or after `since` and before `until`.
    """

    status: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    direction: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    sla: tuple[str, ...] = ()
    requester: tuple[str, ...] = ()
    text: str | None = None
    created_since: datetime | None = None
    created_until: datetime | None = None
    updated_since: datetime | None = None
    updated_until: datetime | None = None
    irregular: bool = False
    organization: str | None = None
    csid: int | None = None


class TransitionFilters(Struct, frozen=True, omit_defaults=True):
    """Which transitions: moves from and to a status, at a time, or out of the ordinary."""

    before: str | None = None
    after: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    irregular: bool = False
    inferred: bool = False
    late: bool = False
    organization: str | None = None
    csid: int | None = None


class SlaFilters(Struct, frozen=True, omit_defaults=True):
    """Which SLA evaluations; `none` stands for no queue, nobody, no tag."""

    status: tuple[str, ...] = ()
    due_before: datetime | None = None
    queue: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    organization: str | None = None
    csid: int | None = None


def conversation_conditions(filters: Filters) -> list[Condition]:
    """Give the conditions on the table of conversations, the coarse ones first."""
    made: list[Condition] = of_conversation(filters.organization, filters.csid)
    _known("status", filters.status, STATUSES)
    _known("sla", filters.sla, SLA_SUMMARIES)
    made += _one_of(("status",), filters.status)
    made += _one_of(("channel",), _in_capitals(filters.channel))
    made += _one_of(("direction",), _in_capitals(filters.direction))
    made += _one_of(("sla_status",), filters.sla)
    made += _one_of(("queue_id", "queue_name"), filters.queue, nobody=True)
    made += _one_of(
        ("assignee_id", "assignee_name", "assignee_email"), filters.assignee, nobody=True
    )
    made += _one_of(("requester_id", "requester_email"), filters.requester)
    made += _tagged(filters.tag)
    made += worded("text", filters.text)
    made += _between("created", "created_at", filters.created_since, filters.created_until)
    made += _between("updated", "last_event_at", filters.updated_since, filters.updated_until)
    made += [IsSet("irregular", "count")] if filters.irregular else []
    return made


def transition_conditions(filters: TransitionFilters) -> list[Condition]:
    """Give the conditions on the table of transitions."""
    made: list[Condition] = of_conversation(filters.organization, filters.csid)
    for name, column in (("before", "before"), ("after", "after")):
        value = getattr(filters, name)
        _known("from" if name == "before" else "to", (value,) if value else (), STATUSES)
        made += _one_of((column,), (value,) if value else ())
    made += _between("", "since", filters.since, filters.until)
    made += [IsSet("irregular", "text")] if filters.irregular else []
    made += [IsSet("inferred")] if filters.inferred else []
    made += [IsSet("late")] if filters.late else []
    return made


def sla_conditions(filters: SlaFilters) -> list[Condition]:
    """Give the conditions on the table of SLA evaluations, the coarse ones first."""
    made: list[Condition] = of_conversation(filters.organization, filters.csid)
    _known("status", filters.status, SLA_STATUSES)
    made += _one_of(("status",), filters.status)
    made += _one_of(("channel",), _in_capitals(filters.channel), nobody=True)
    made += _between("due", "deadline", None, filters.due_before)
    made += _one_of(("queue_id", "queue_name"), filters.queue, nobody=True)
    made += _one_of(("assignee_id", "assignee_name"), filters.agent, nobody=True)
    made += _tagged(filters.tag)
    return made


def of_conversation(organization: str | None, csid: int | None) -> list[Condition]:
    """Give the conditions that pick an organization, and a conversation."""
    made: list[Condition] = []
    if organization is not None:
        owner = storable(_whole(organization))
        made.append(OneOf(("organization_id",), (owner,), none=organization == ""))
    if csid is not None:
        made.append(OneOf(("csid",), (read_csid(csid),)))
    return made


def worded(name: str, text: str | None, *, whole: bool = False) -> list[Condition]:
    """Give the conditions that find every word of a text, as a beginning or as a whole word."""
    found = sorted(words([text]))
    if len(found) > MAX_WORDS:
        raise InvalidInputError(f"{name}: expected at most {MAX_WORDS} words, got {len(found)}")
    return [Worded(word, whole=whole) for word in found]


def _one_of(
    columns: tuple[str, ...], values: tuple[str, ...], *, nobody: bool = False
) -> list[Condition]:
    if not values:
        return []
    none = nobody and NOBODY in values
    kept = tuple(as_stored(value) for value in values if not (nobody and value == NOBODY))
    return [OneOf(columns, kept, none=none)]


def _in_capitals(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name if name == NOBODY else name.upper() for name in names)


def as_stored(text: str) -> str:
    """Spell a text as the views do, in the columns by which rows are found."""
    return findable(_whole(text)) or ""


def _whole(text: str) -> str:
    """Give a text of whole characters; half a one, as a terminal may send it, is in no row."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _tagged(tags: tuple[str, ...]) -> list[Condition]:
    if not tags:
        return []
    kept = tuple(as_stored(tag) for tag in tags if tag != NOBODY)
    return [Tagged(kept, none=NOBODY in tags)]


def _between(
    name: str, column: str, since: datetime | None, until: datetime | None
) -> list[Condition]:
    if since is None and until is None:
        return []
    if since is not None and until is not None and since > until:
        label = f"{name}_since" if name else "since"
        raise ConflictError(
            f"{label}: expected a time before {format_time(until)}, got {format_time(since)}"
        )
    low = None if since is None else micros(since)
    high = None if until is None else micros(until)
    return [Between(column, low, high)]


def _known(name: str, values: Sequence[str], allowed: Sequence[str]) -> None:
    for value in values:
        if value not in allowed:
            raise InvalidInputError(
                f"{name}: expected one of {', '.join(allowed)}, got {shorten(value)!r}"
            )


def sorting(sort: str) -> tuple[str, bool]:
    """Give the column to sort by, and whether from the greatest down."""
    if sort not in SORTS:
        raise InvalidInputError(f"sort: expected one of {', '.join(SORTS)}, got {shorten(sort)!r}")
    return sort.removeprefix("-"), sort.startswith("-")


def require_past(moment: datetime, now: datetime, name: str = "as_of") -> None:
    """Refuse to tell the future."""
    if moment > now:
        raise ConflictError(
            f"{name}: expected a time up to now, {format_time(now)}, got {format_time(moment)}"
        )


def sort_as_of(sort: str) -> str:
    """Give the order of a list as of a moment, of which only creation is known to the views."""
    if sort == "-last_event_at":
        return "-created_at"
    if sort.removeprefix("-") == "last_event_at":
        raise ConflictError(
            f"sort: expected created_at or csid for a list as of a moment, got {sort!r}"
        )
    return sort


class Narrowed(NamedTuple):
    """A WHERE clause that leaves out what cannot fit as of a moment, with its parameters."""

    clause: str
    parameters: dict[str, Any]
    as_of: datetime


def narrowing(filters: Filters, as_of: datetime, grace: timedelta) -> Narrowed:
    """Leave out conversations that cannot fit, by the intervals that their fields had values in.

    A field may have been inferred for a moment, within the grace, that the intervals know nothing
    of; so they are taken that much wider, and the folded state has the last word. They do not know
    all names that an agent or a queue had either, so only that there was one.
    """
    parameters = Parameters()
    moment, margin = micros(as_of), grace // timedelta(microseconds=1)
    low = parameters.bind(moment - margin)
    high = parameters.bind(moment + margin)
    then = f"i.stream = t.stream AND i.since <= {high} AND (i.until IS NULL OR i.until >= {low})"
    clauses = [where(of_conversation(filters.organization, filters.csid), parameters)]
    for table, column, values in (
        ("transitions", "after", _before_corrections(filters.status)),
        ("tags", "tag", tuple(as_stored(tag) for tag in filters.tag)),
        ("assignments", None, filters.assignee),
        ("queue_intervals", None, filters.queue),
    ):
        if values and NOBODY not in values:
            fits = f" AND i.{column} IN {parameters.bind_all(values)}" if column else ""
            clauses.append(f"EXISTS (SELECT 1 FROM {table} AS i WHERE {then}{fits})")  # noqa: S608
    return Narrowed(" AND ".join(clauses), parameters.values, as_of)


def _before_corrections(statuses: tuple[str, ...]) -> tuple[str, ...]:
    """Add what an inferred close may have turned out to be: abandonment."""
    return (*statuses, "abandoned") if "closed" in statuses else statuses
