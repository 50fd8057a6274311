"""How many conversations there are now of each kind: above a board, and for alerts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal

from pydantic import Field

from dixa_state.domain.lifecycle import ENDED, RUNNING
from dixa_state.questions.conditions import select
from dixa_state.questions.conversations import Conversations
from dixa_state.questions.filters import of_conversation
from dixa_state.questions.naming import grouped, labels
from dixa_state.questions.question import Answer, Moment, Question
from dixa_state.questions.reader import Reader
from dixa_state.views.sql import IN_RUNNING
from dixa_state.views.tables import micros

Group = Literal["queue", "assignee", "channel"]


class Tally(Answer):
    """Counts of conversations that have not ended; each is that of the list with its filters."""

    value: str | None = Field(description="The value of `by`, as a filter takes it.")
    label: str | None = Field(
        description="The value, with a part of its id where another has its name."
    )
    open: int = Field(description="Conversations that are open.")
    pending: int = Field(description="Conversations that are pending.")
    unassigned: int = Field(description="Open ones that nobody has.")
    waiting: int = Field(description="Those that wait in a queue.")
    longest_wait: float | None = Field(description="Seconds that the first of them has waited.")
    breached: int = Field(description="Those that have breached an SLA.")


class CurrentCounts(Answer):
    """Counts of conversations as they are now, and of what has ended since a time."""

    position: int = Field(description="The store position that the counts are of.")
    total: Tally = Field(description="Over all conversations.")
    groups: list[Tally] = Field(description="By the value that was asked for, most open first.")
    due_soon: int = Field(description="Running, with an SLA evaluation that is due soon.")
    closed: int = Field(description="Closed since then, and so still.")
    abandoned: int = Field(description="Abandoned since then, and so still.")
    reopened: int = Field(description="Reopened since then.")
    missed: int = Field(description="Proofs of a lost webhook, of all times.")
    labels: dict[str, str] = Field(
        description="Labels of queues and agents of which another has the same name, by their ids."
    )


class Current(Question[CurrentCounts]):
    """Count conversations as they are now, by what they wait for and where."""

    by: Group = Field("queue", description="Break the counts down by this.")
    since: Moment | None = Field(
        None, description="Count as ended what has ended since; by default since midnight (UTC)."
    )

    def answer(self, reader: Reader) -> CurrentCounts:
        """Return the counts, all of one moment."""
        clock, own = reader.now(), of_conversation(self.organization)
        since = self.since or clock.replace(hour=0, minute=0, second=0, microsecond=0)
        now = micros(clock)
        with reader.moment() as (connection, at):

            def counted(**filters: Any) -> Counter[str]:
                """Count the rows of a list by their status."""
                asked = Conversations(organization=self.organization, **filters)
                return Counter(dict(select(connection, BY_STATUS, asked.conditions(now))))

            found = select(connection, _RUNNING, own)
            rows = [dict(zip(_RUNNING_COLUMNS, row, strict=True)) for row in found]
            [[missed]] = select(connection, _MISSED, own)
            due_soon = counted(status=RUNNING, sla=("due_soon",))
            ended, reopened = counted(closed_since=since), counted(reopened_since=since)
        shown = labels((row["queue_id"], row["queue_name"]) for row in rows)
        shown |= labels((row["assignee_id"], row["assignee_name"]) for row in rows)
        groups = [
            _tally(value, some, now, shown.get(value or "", value))
            for value, some in grouped(rows, itemgetter(*_KEYS[self.by])).items()
        ]
        return CurrentCounts(
            position=at.position,
            total=_tally(None, rows, now),
            groups=sorted(groups, key=_by_number),
            due_soon=due_soon.total(),
            **{status: ended[status] for status in ENDED},
            reopened=reopened.total(),
            missed=missed,
            labels=shown,
        )


_KEYS: dict[Group, tuple[str, ...]] = {
    "queue": ("queue_id", "queue_name"),
    "assignee": ("assignee_id", "assignee_name", "assignee_email"),
    "channel": ("channel", "channel"),
}
_SUMS: dict[str, str] = {
    **{status: f"sum(CASE WHEN t.status = '{status}' THEN 1 ELSE 0 END)" for status in RUNNING},
    "unassigned": "sum(CASE WHEN t.status = 'open' AND t.assignee_id IS NULL THEN 1 ELSE 0 END)",
    "waiting": "count(t.waiting_since)",
    "breached": "sum(CASE WHEN t.sla_status = 'breached' THEN 1 ELSE 0 END)",
}
_COLUMNS = tuple(dict.fromkeys(column for columns in _KEYS.values() for column in columns))
_RUNNING_COLUMNS = (*_SUMS, "first", *_COLUMNS)
_GROUPED = ", ".join(f"t.{column}" for column in _COLUMNS)
# Spelled and grouped as the index of what runs has it: 11 ms for 5,000, and 34 if the planner could
# take the index of the status instead.
_RUNNING = (
    f"SELECT {', '.join(_SUMS.values())}, min(t.waiting_since), {_GROUPED} "  # noqa: S608
    f"FROM conversations AS t WHERE (t.status {IN_RUNNING}) IS TRUE AND {{where}} "
    f"GROUP BY {_GROUPED}"
)
# By the bare column, SQLite would read all rows in the order of its index: 550 ms, not 0.2.
BY_STATUS = (
    "SELECT coalesce(t.status, ''), count(*) FROM conversations AS t "
    "WHERE {where} GROUP BY coalesce(t.status, '')"
)
_MISSED = "SELECT count(*) FROM missed AS t WHERE {where}"


def _by_number(one: Tally) -> tuple[int | str, ...]:
    return *(-getattr(one, status) for status in RUNNING), one.value or ""


def _tally(
    value: str | None, rows: Sequence[Mapping[str, Any]], now: int, label: str | None = None
) -> Tally:
    first = min((row["first"] for row in rows if row["first"] is not None), default=None)
    return Tally(
        value=value,
        label=label,
        longest_wait=None if first is None else max(now - first, 0) / 1_000_000,
        **{name: sum(row[name] for row in rows) for name in _SUMS},
    )
