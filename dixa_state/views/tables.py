"""The tables of the views: each row type names its columns.

Times are microseconds since 1970 in UTC, durations seconds, intervals half-open: [since, until),
still running where `until` is None.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from dixa_state.fold import Poison

VIEW_VERSION = 5
"""Incremented when the meaning of the rows changes; views of another version must be replayed."""


class ConversationRow(NamedTuple):
    """The state of a conversation: what lists filter and sort by, and all of it as JSON.

    `dixa_status` is Dixa's own word where it is none of ours, as `spelling` reduces it.
    `assigned_at` is when the agent who has it now got it, `waiting_since` when it entered the queue
    that nobody has taken it from yet, `reopened_at` when it was last reopened. `closed_at` is when
    it was closed or abandoned last, which is a close to Dixa too; it stays when the conversation is
    opened again.
    `duration` is from creation to there, None as long as the conversation has not ended.
    `deadline` is the next one of its SLA evaluations. The first response is from `asked_at`
    to `answered_at`.
    `chunks` counts the rows of `histories` that belong to the state; the SQL view appends them to
    it, a line each.
    `irregular` does not count a history that starts midlife, which `starts_midlife` says. A
    duration that is only an upper bound is null, with its `…_bound` true, so that no median
    contains it; `inexact` lists the statuses that began or ended at a time that is only an upper
    bound, with spaces between them. `missed` counts what proves a lost webhook.
    """

    stream: str
    organization_id: str | None
    csid: int
    status: str | None
    dixa_status: str | None
    status_since: int | None
    channel: str | None
    direction: str | None
    queue_id: str | None
    queue_name: str | None
    assignee_id: str | None
    assignee_name: str | None
    assignee_email: str | None
    requester_id: str | None
    requester_email: str | None
    sla_status: str
    created_at: int
    last_event_at: int
    last_message_at: int | None
    assigned_at: int | None
    waiting_since: int | None
    reopened_at: int | None
    open_since: int | None
    deadline: int | None
    asked_at: int | None
    answered_at: int | None
    closed_at: int | None
    duration: float | None
    entered_queue: bool
    irregular: int
    inferred: int
    starts_midlife: bool
    missed: int
    first_response: float | None
    first_resolution: float | None
    full_resolution: float | None
    first_response_bound: bool
    first_resolution_bound: bool
    full_resolution_bound: bool
    inexact: str
    version: int
    position: int
    chunks: int
    state: bytes


class TransitionRow(NamedTuple):
    """A lifecycle transition, and the interval of the status that it began.

    `irregular` is null where the history starts midlife, which `starts_midlife` says.
    """

    stream: str
    sequence: int
    organization_id: str | None
    csid: int
    before: str | None
    after: str
    since: int
    until: int | None
    irregular: str | None
    starts_midlife: bool
    inferred: bool
    late: bool
    move: bytes


class AssignmentRow(NamedTuple):
    """An interval with an agent; `until_inferred` means that only a snapshot shows its end."""

    stream: str
    number: int
    agent_id: str | None
    agent_name: str | None
    agent_email: str | None
    since: int
    until: int | None
    how: str
    until_inferred: bool


class QueueIntervalRow(NamedTuple):
    """An interval in which the conversation belonged to a queue."""

    stream: str
    number: int
    queue_id: str | None
    queue_name: str | None
    since: int
    until: int | None


class QueueVisitRow(NamedTuple):
    """A wait in a queue; `wait` once it has ended, and null where a time of it was inferred."""

    stream: str
    number: int
    queue_id: str | None
    queue_name: str | None
    enqueued_at: int
    left_at: int | None
    outcome: str | None
    inferred: bool
    wait: float | None


class ResponseRow(NamedTuple):
    """A message of a customer, the first without an answer, and the agent's message that did."""

    stream: str
    number: int
    asked_at: int
    answered_at: int
    agent_id: str | None
    agent_name: str | None


class TagRow(NamedTuple):
    """An interval with a tag, and Dixa's id of that tag where a snapshot ever showed it."""

    stream: str
    number: int
    tag: str
    tag_id: str | None
    since: int
    until: int | None


class AttributeRow(NamedTuple):
    """A value of a custom attribute as text; an attribute with a list of values has a row each."""

    stream: str
    number: int
    identifier: str
    attribute_id: str | None
    value: str


class SlaEvaluationRow(NamedTuple):
    """An SLA evaluation, beside what its shares are broken down by.

    Those are as they were at the outcome's own event; while it is pending, as they are now. So are
    the tags, in rows of their own. `breached_late_at` is when an outcome followed a breach,
    `channel_name` the channel as Dixa spells it.
    """

    stream: str
    number: int
    organization_id: str | None
    csid: int
    evaluation_id: str | None
    policy: str | None
    metric: str | None
    status: str
    deadline: int | None
    since: int
    began_at: int
    breached_late_at: int | None
    channel: str | None
    channel_name: str | None
    queue_id: str | None
    queue_name: str | None
    assignee_id: str | None
    assignee_name: str | None


class SlaTagRow(NamedTuple):
    """A tag that an SLA evaluation is counted for."""

    stream: str
    number: int
    tag: str


class RatingRow(NamedTuple):
    """A rating."""

    stream: str
    number: int
    organization_id: str | None
    csid: int
    type: str | None
    score: float | None
    comment: str | None
    agent_id: str | None
    agent_name: str | None
    rated_at: int


class MissedRow(NamedTuple):
    """What proves that a webhook was lost between `after` and `at`, and the event that does."""

    stream: str
    number: int
    organization_id: str | None
    csid: int
    proof: str
    field: str
    detail: str | None
    event_id: str
    topic: str
    after: int
    at: int


class WordRow(NamedTuple):
    """A word by which a conversation can be found."""

    word: str
    stream: str


class HistoryRow(NamedTuple):
    """A chunk of a long history: what the state of its stream begins with, and does not hold."""

    stream: str
    history: str
    number: int
    items: bytes


class BanRow(NamedTuple):
    """Whether an end user or an address is banned."""

    stream: str
    kind: str
    organization_id: str | None
    subject: str
    banned: bool
    position: int
    chunks: int
    state: bytes


Row = NamedTuple
"""A row of any of these tables."""

TABLES: dict[str, type[Row]] = {
    "conversations": ConversationRow,
    "transitions": TransitionRow,
    "assignments": AssignmentRow,
    "queue_intervals": QueueIntervalRow,
    "queue_visits": QueueVisitRow,
    "responses": ResponseRow,
    "tags": TagRow,
    "custom_attributes": AttributeRow,
    "sla_evaluations": SlaEvaluationRow,
    "sla_tags": SlaTagRow,
    "ratings": RatingRow,
    "missed": MissedRow,
    "words": WordRow,
    "histories": HistoryRow,
    "bans": BanRow,
}
ALL_TABLES: dict[str, type[Row]] = {**TABLES, "poison": Poison}
"""All of them: those of rows, and `poison`, the events that could not be folded."""

TABLE_OF = {row_type: name for name, row_type in TABLES.items()}
KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(TABLES, ("stream", "number")),
    "conversations": ("stream",),
    "transitions": ("stream", "sequence"),
    "sla_tags": ("stream", "number", "tag"),
    "words": ("word", "stream"),
    "histories": ("stream", "history", "number"),
    "bans": ("stream",),
}
"""The primary key of each table."""


def group(made: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by the name of their table."""
    by_table: dict[str, list[Row]] = defaultdict(list)
    for row in made:
        by_table[TABLE_OF[type(row)]].append(row)
    return by_table


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(time: datetime) -> int:
    """Return a time as microseconds since 1970."""
    since = time - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(time: int | None) -> datetime | None:
    """Return a time from microseconds since 1970."""
    return None if time is None else EPOCH + timedelta(microseconds=time)
