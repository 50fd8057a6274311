"""Counts and durations over many conversations."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any

from pydantic import Field

from dixa_state.domain.lifecycle import STATUSES
from dixa_state.questions.business_hours import FORMAT, BusinessHoursText, read_business_hours
from dixa_state.questions.compared import By, Compared
from dixa_state.questions.conditions import Condition, Parameters, select, where
from dixa_state.questions.filters import between, of_conversation, tagged
from dixa_state.questions.measures import Measured, Scope, measure_all
from dixa_state.questions.names import known_pairs
from dixa_state.questions.naming import grouped, labels
from dixa_state.questions.periods import Period
from dixa_state.questions.question import Answer, Moment, Page, Question, Time
from dixa_state.questions.reader import Reader
from dixa_state.views.generations import Connection, Rows
from dixa_state.views.sql import IN_ENDED, IN_RUNNING

_DAY = 86_400_000_000
_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC).date()


class Poison(Answer):
    """An event that could not be folded, and why."""

    position: int = Field(description="The event's store position.")
    stream: str = Field(description="The event's stream.")
    event: str = Field(description="The event, for example conversation.closed.")
    error: str = Field(description="What went wrong.")


class Group(Answer):
    """The measures of one value of what they are broken down by."""

    value: str | None = Field(description="The value; null for none.")
    measures: dict[str, Measured] = Field(description="The measures by name.")


class Numbers(Answer):
    """Counts and measures over the conversations of a period, or over all there ever were."""

    since: Time | None = Field(description="The period's beginning.")
    until: Time | None = Field(description="The period's end, which is not in it.")
    conversations: int = Field(description="Conversations created in it.")
    transitions: int = Field(description="Lifecycle transitions in it.")
    by_status: dict[str, int] = Field(description="Conversations by status.")
    by_sla_status: dict[str, int] = Field(description="Conversations by SLA status.")
    by_queue: dict[str, int] = Field(description="Conversations by queue.")
    by_assignee: dict[str, int] = Field(description="Conversations by agent.")
    reopens: int = Field(description="Transitions from an ended status to one that has not ended.")
    irregular: int = Field(description="Transitions that the lifecycle does not foresee.")
    inferred: int = Field(description="Transitions known from a snapshot only.")
    late: int = Field(description="Transitions whose webhook came late.")
    missed: int = Field(description="Lost webhooks that are proved.")
    labels: dict[str, str] = Field(
        description="How to show the ids among these, of queues or agents that share a name."
    )
    measures: dict[str, Measured] = Field(description="Durations and shares by name.")
    groups: list[Group] = Field(description="The same by what `by` names.")


class Statistics(Numbers):
    """Counts and measures, beside what they are of, and those of the period compared with."""

    position: int = Field(description="The store position that the counts are of.")
    as_of: Time | None = Field(description="The moment asked for, in event time.")
    known_at: Time | None = Field(description="The same in receipt time.")
    time_zone: str = Field(description="The time zone of days and weeks.")
    business_hours: str | None = Field(
        description="The hours to which durations are limited, as TOML; null for all hours."
    )
    by: By | None = Field(description="What the groups are by.")
    compared: Numbers | None = Field(description="The numbers of the earlier period.")
    poison: list[Poison] = Field(description="Events that could not be folded.")


class DailyCounts(Answer):
    """Transitions of one day (UTC), by where they led."""

    day: date = Field(description="The day.")
    began: int = Field(description="First transitions, so each conversation once.")
    opened: int = Field(description="Transitions to open.")
    pending: int = Field(description="Transitions to pending.")
    closed: int = Field(description="Transitions to closed.")
    abandoned: int = Field(description="Transitions to abandoned.")
    reopens: int = Field(description="Transitions from an ended status to one that has not ended.")


class Stats(Compared):
    """Count conversations and measure durations and shares, over all or over a period.

    Counts are of conversations that fit now; each sample of a measure counts for the queue, the
    agent and the tags that its conversation had when it ended. What still runs is counted to
    `as_of`, or to now.
    """

    business_hours: BusinessHoursText | None = Field(None, description=FORMAT)

    def answer(self, reader: Reader) -> Statistics:
        """Return counts and durations, all of one moment."""
        with self.opened(reader) as (connection, position, now, period, earlier):
            numbers = self._numbers(connection, period, now)
            compared = self._numbers(connection, earlier, now) if earlier else None
            return Statistics(
                **dict(numbers),
                position=position,
                as_of=self.as_of,
                known_at=self.known_at,
                time_zone=self.time_zone,
                business_hours=self.business_hours,
                by=self.by,
                compared=compared,
                poison=read_poison(connection),
            )

    def measured(self, reader: Reader, names: Collection[str]) -> list[dict[str, Measured]]:
        """Return some of the measures alone, of the period and of the one before."""
        with self.opened(reader) as (connection, _, now, *periods):
            scopes = [self._scope(period, now) for period in periods if period]
            return [measure_all(connection, scope, names=names)[None] for scope in scopes]

    def _scope(self, period: Period, now: datetime) -> Scope:
        hours = read_business_hours(self.business_hours) if self.business_hours else None
        return Scope(self, period, now, hours)

    def _numbers(self, connection: Connection, period: Period, now: datetime) -> Numbers:
        scope = self._scope(period, now)
        groups = measure_all(connection, scope, self.by) if self.by else {}
        counts = self._counts(connection, period)
        return Numbers(
            since=period.since,
            until=period.until,
            **counts | {"labels": counts["labels"] | labels(known_pairs(connection, self.by))},
            measures=measure_all(connection, scope)[None],
            groups=[Group(value=value, measures=found) for value, found in groups.items()],
        )

    def _counts(self, connection: Connection, period: Period) -> dict[str, Any]:
        fitting = [*self.of_whom(), *tagged(self.tag)]
        created = between("since", "created_at", *period)
        rows = select(connection, _CONVERSATIONS, [*fitting, *created])
        by_status, _ = _counts(rows, 1, 1)
        queues, queue_labels = _counts(rows, 3, 4)
        agents, agent_labels = _counts(rows, 5, 6, 7)
        return {
            "conversations": sum(by_status.values()),
            "by_status": by_status,
            "by_sla_status": _counts(rows, 2, 2)[0],
            "by_queue": queues,
            "by_assignee": agents,
            "labels": queue_labels | agent_labels,
            **_transition_counts(connection, fitting, period),
        }


class Daily(Question[Page[DailyCounts]]):
    """Count transitions by day (UTC), for the days that have any."""

    since: Moment | None = Field(None, description="Only transitions at or after this time.")
    until: Moment | None = Field(None, description="Only transitions before this time.")

    def answer(self, reader: Reader) -> Page[DailyCounts]:
        """Return the days, all on one page."""
        conditions = [
            *of_conversation(self.organization),
            *between("since", "since", self.since, self.until),
        ]
        with reader.moment() as (connection, at):
            found = select(connection, _DAYS, conditions)
        days = [
            DailyCounts(day=_FIRST_DAY + timedelta(day), **dict(zip(_DAILY, counts, strict=True)))
            for day, *counts in found
        ]
        return Page(days, None, at.position)


def read_poison(connection: Connection, limit: int = 2**63 - 1) -> list[Poison]:
    """Read the first events that could not be folded."""
    sql = "SELECT position, stream, topic, error FROM poison ORDER BY position LIMIT :limit"
    found = connection.run(sql, limit=limit)
    return [Poison(position=p, stream=s, event=t, error=e) for p, s, t, e in found]


def _transition_counts(
    connection: Connection, fitting: list[Condition], period: Period
) -> dict[str, int]:
    counted = f"SELECT {_each(_TRANSITIONS)} FROM transitions AS x"  # noqa: S608
    counts = _count_during(connection, counted, "since", fitting, period)
    [missed] = _count_during(connection, _MISSED, "at", fitting, period)
    return {**dict(zip(_TRANSITIONS, counts, strict=True)), "missed": missed}


def _count_during(
    connection: Connection, sql: str, time: str, fitting: list[Condition], period: Period
) -> tuple[int, ...]:
    """Count rows `x` by their time, of conversations `t` that fit."""
    parameters = Parameters()
    during = where(between("since", time, *period), parameters).replace(f"t.{time}", f"x.{time}")
    joined = "JOIN conversations AS t ON t.stream = x.stream" if fitting else ""
    statement = f"{sql} {joined} WHERE {where(fitting, parameters)} AND {during}"
    return connection.run(statement, **parameters.values)[0]


def _counts(rows: Rows, *places: int) -> tuple[dict[str, int], dict[str, str]]:
    """Add up counts by what these columns name, the most frequent first, with labels."""
    key = itemgetter(*places)
    found = grouped(rows, key)
    total = {value: sum(row[0] for row in some) for value, some in found.items()}
    ordered = dict(sorted(total.items(), key=lambda item: (-item[1], item[0] or "")))
    return named_counts(ordered), labels(map(key, rows))


def named_counts(counts: dict[str | None, int]) -> dict[str, int]:
    """Return counts with the key `none` for what has no value."""
    return {"none" if value is None else value: count for value, count in counts.items()}


_REOPENED = f"before {IN_ENDED} AND after {IN_RUNNING}"
_DAILY: dict[str, str] = {
    "began": "t.before IS NULL",
    "opened": "t.after = 'open'",
    **{status: f"t.after = '{status}'" for status in STATUSES if status != "open"},
    "reopens": _REOPENED,
}
_TRANSITIONS = {
    "transitions": "TRUE",
    "reopens": _REOPENED,
    "irregular": "x.irregular IS NOT NULL",
    "inferred": "x.inferred",
    "late": "x.late",
}


def _each(conditions: Mapping[str, str]) -> str:
    """Write a count of the rows of each condition."""
    return ", ".join(f"count(CASE WHEN {one} THEN 1 END)" for one in conditions.values())


_DAYS = (
    f"SELECT t.since / {_DAY}, {_each(_DAILY)} FROM transitions AS t "  # noqa: S608
    "WHERE {where} GROUP BY 1 ORDER BY 1"
)
_MISSED = "SELECT count(*) FROM missed AS x"
_COUNTED = (
    "t.status, t.sla_status, t.queue_id, t.queue_name, "
    "t.assignee_id, t.assignee_name, t.assignee_email"
)
_CONVERSATIONS = (
    f"SELECT count(*), {_COUNTED} FROM conversations AS t "  # noqa: S608
    f"WHERE {{where}} GROUP BY {_COUNTED}"
)
