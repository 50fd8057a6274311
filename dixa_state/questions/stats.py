"""Counts and durations over many conversations."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import Field

from dixa_state.domain.lifecycle import ENDED
from dixa_state.questions.conditions import Parameters, where
from dixa_state.questions.filters import between, of_conversation
from dixa_state.questions.naming import distinct_values
from dixa_state.questions.question import Answer, Moment, Page, Question
from dixa_state.questions.reader import Reader
from dixa_state.views.generations import Connection
from dixa_state.views.tables import micros

Run = Callable[[str], list[tuple[Any, ...]]]

_DAY = 86_400_000_000
_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC).date()


class Measure(Answer):
    """A duration over many, in seconds."""

    cohort: str = Field(description="The date that puts a conversation in: created or enqueued.")
    count: int = Field(description="How many were measured.")
    upper_bounds: int = Field(
        description="How many more are known as upper bounds only; the other numbers are without."
    )
    average: float | None = Field(description="The average.")
    p50: float | None = Field(description="The median, by nearest rank.")
    p90: float | None = Field(description="The 90th percentile, by nearest rank.")


class Poison(Answer):
    """An event that could not be folded, and why."""

    position: int = Field(description="The event's store position.")
    stream: str = Field(description="The event's stream.")
    event: str = Field(description="The event, for example conversation.closed.")
    error: str = Field(description="What went wrong.")


class Statistics(Answer):
    """Counts and durations over all conversations of an organization, or of all of them."""

    position: int = Field(description="The store position that the counts are of.")
    conversations: int = Field(description="Conversations.")
    transitions: int = Field(description="Lifecycle transitions.")
    by_status: dict[str, int] = Field(description="Conversations by status.")
    by_sla_status: dict[str, int] = Field(description="Conversations by SLA status.")
    by_queue: dict[str, int] = Field(description="Conversations by queue.")
    by_assignee: dict[str, int] = Field(description="Conversations by agent.")
    reopens: int = Field(description="Transitions from closed or abandoned to open.")
    irregular: int = Field(description="Transitions that the lifecycle does not foresee.")
    inferred: int = Field(description="Transitions known from a snapshot only.")
    late: int = Field(description="Transitions whose webhook came late.")
    missed: int = Field(description="Lost webhooks that are proved.")
    visits: int = Field(description="Visits to queues.")
    abandonments: int = Field(description="Visits that the customer abandoned.")
    abandon_rate: float | None = Field(description="abandonments / visits.")
    csat: float | None = Field(description="Scores of 4 and 5 of all CSAT scores.")
    csat_responses: int = Field(description="CSAT scores.")
    durations: dict[str, Measure] = Field(description="Durations by name.")
    poison: list[Poison] = Field(description="Events that could not be folded.")


class DailyCounts(Answer):
    """Transitions of one day (UTC), by where they led."""

    day: date = Field(description="The day.")
    began: int = Field(description="First transitions, so each conversation once.")
    opened: int = Field(description="Transitions to open.")
    pending: int = Field(description="Transitions to pending.")
    closed: int = Field(description="Transitions to closed.")
    abandoned: int = Field(description="Transitions to abandoned.")
    reopens: int = Field(description="Transitions from closed or abandoned to open.")


class Stats(Question[Statistics]):
    """Count conversations and transitions; return average, median and p90 durations."""

    def answer(self, reader: Reader) -> Statistics:
        """Return counts and durations, all of one moment."""
        parameters = Parameters({"now": micros(reader.now())})
        of = where(of_conversation(self.organization), parameters)
        with reader.moment() as (connection, at):

            def run(sql: str) -> list[tuple[Any, ...]]:
                return connection.run(sql.replace("{of}", of), **parameters.values)

            return _statistics(run, connection, at.position)


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
        parameters = Parameters()
        sql = (
            f"SELECT t.since / {_DAY}, t.before, t.after, count(*) FROM transitions AS t "  # noqa: S608
            f"WHERE {where(conditions, parameters)} GROUP BY 1, 2, 3"
        )
        counts: dict[int, Counter[tuple[str | None, str]]] = defaultdict(Counter)
        with reader.moment() as (connection, at):
            for day, before, after, count in connection.run(sql, **parameters.values):
                counts[day][before, after] += count
        return Page([_day(day, found) for day, found in sorted(counts.items())], None, at.position)


def _day(day: int, counts: Counter[tuple[str | None, str]]) -> DailyCounts:
    to = Counter[str]()
    for (_, after), count in counts.items():
        to[after] += count
    return DailyCounts(
        day=_FIRST_DAY + timedelta(days=day),
        began=sum(count for (before, _), count in counts.items() if before is None),
        opened=to["open"],
        pending=to["pending"],
        closed=to["closed"],
        abandoned=to["abandoned"],
        reopens=sum(
            count
            for (before, after), count in counts.items()
            if before in ENDED and after not in ENDED
        ),
    )


def _statistics(run: Run, connection: Connection, position: int) -> Statistics:
    by_status = _counts(run, "status", "status")
    transitions, visits, ratings = run(_TRANSITIONS)[0], run(_VISITS)[0], run(_RATINGS)[0]
    reopens, irregular, inferred, late = (int(count or 0) for count in transitions[1:])
    return Statistics(
        position=position,
        conversations=sum(by_status.values()),
        transitions=transitions[0],
        by_status=by_status,
        by_sla_status=_counts(run, "sla_status", "sla_status"),
        by_queue=_counts(run, "queue_id", "queue_name"),
        by_assignee=_counts(run, "assignee_id", "assignee_name", "assignee_email"),
        reopens=reopens,
        irregular=irregular,
        inferred=inferred,
        late=late,
        missed=run(_MISSED)[0][0],
        visits=visits[0],
        abandonments=int(visits[1] or 0),
        abandon_rate=_share(visits),
        csat=_share(ratings),
        csat_responses=ratings[0],
        durations={name: _measure(run, name, *_MEASURES[name]) for name in _MEASURES},
        poison=[
            Poison(position=row[0], stream=row[1], event=row[2], error=row[3])
            for row in connection.run(_POISON)
        ],
    )


def _share(counted: tuple[int, int | None]) -> float | None:
    of, some = counted
    return int(some or 0) / of if of else None


def _counts(run: Run, *columns: str) -> dict[str, int]:
    """Count conversations by what these columns name, the most frequent first."""
    wanted = ", ".join(f"t.{column}" for column in columns)
    found = run(
        f"SELECT count(*), {wanted} FROM conversations AS t WHERE {{of}} "  # noqa: S608
        f"GROUP BY {wanted}"
    )
    values = distinct_values({row[1:] for row in found})
    total: Counter[str | None] = Counter()
    for count, *known in found:
        total[values[tuple(known)]] += count
    return named_counts(dict(sorted(total.items(), key=lambda item: (-item[1], item[0] or ""))))


def named_counts(counts: dict[str | None, int]) -> dict[str, int]:
    """Return counts with the key `none` for what has no value."""
    return {"none" if value is None else value: count for value, count in counts.items()}


_TRANSITIONS = (
    "SELECT count(*), "
    "sum(CASE WHEN t.after IN ('open', 'pending') AND t.before IN ('closed', 'abandoned') "
    "THEN 1 ELSE 0 END), "
    "sum(CASE WHEN t.irregular IS NOT NULL THEN 1 ELSE 0 END), "
    "sum(CASE WHEN t.inferred THEN 1 ELSE 0 END), sum(CASE WHEN t.late THEN 1 ELSE 0 END) "
    "FROM transitions AS t WHERE {of}"
)
_MISSED = "SELECT count(*) FROM missed AS t WHERE {of}"
_VISITS = (
    "SELECT count(*), sum(CASE WHEN v.outcome = 'abandoned' THEN 1 ELSE 0 END) "
    "FROM queue_visits AS v JOIN conversations AS t ON t.stream = v.stream WHERE {of}"
)
_RATINGS = (
    "SELECT count(*), sum(CASE WHEN t.score >= 4 THEN 1 ELSE 0 END) "
    "FROM ratings AS t WHERE lower(t.type) = 'csat' AND t.score IS NOT NULL AND {of}"
)
_POISON = "SELECT position, stream, topic, error FROM poison ORDER BY position"
_OF_CONVERSATION = (
    "SELECT t.{name} AS seconds, t.{name}_bound AS bound FROM conversations AS t WHERE {of}"
)
_IN_STATUS = (
    "SELECT sum(CASE WHEN coalesce(m.until, :now) > m.since "
    "THEN coalesce(m.until, :now) - m.since ELSE 0 END) / 1000000.0 AS seconds, "
    "t.{name}_bound AS bound FROM transitions AS m JOIN conversations AS t ON t.stream = m.stream "
    "WHERE m.after = '{name}' AND {of} GROUP BY t.stream, t.{name}_bound"
)
_QUEUE_WAIT = (
    "SELECT v.wait AS seconds, v.inferred AS bound FROM queue_visits AS v "
    "JOIN conversations AS t ON t.stream = v.stream WHERE v.outcome = 'assigned' AND {of}"
)
_MEASURES = {
    "first_response": ("created", _OF_CONVERSATION),
    "first_resolution": ("created", _OF_CONVERSATION),
    "full_resolution": ("created", _OF_CONVERSATION),
    "open": ("created", _IN_STATUS),
    "pending": ("created", _IN_STATUS),
    "queue_wait": ("enqueued", _QUEUE_WAIT),
}


def _measure(run: Run, name: str, cohort: str, source: str) -> Measure:
    of = source.replace("{name}", name)
    measured = f"FROM ({of}) AS measured WHERE seconds IS NOT NULL AND NOT bound"
    count, average = run(f"SELECT count(*), avg(seconds) {measured}")[0]
    bounds = run(f"SELECT count(*) FROM ({of}) AS measured WHERE bound")[0][0]  # noqa: S608

    def rank(percent: int) -> float | None:
        if not count:
            return None
        place = -(-count * percent // 100) - 1
        found = run(f"SELECT seconds {measured} ORDER BY 1 LIMIT 1 OFFSET {place}")
        return float(found[0][0])

    return Measure(
        cohort=cohort,
        count=count,
        upper_bounds=bounds,
        # Rounded, since a database adds floats in the order in which it finds the rows.
        average=None if average is None else round(float(average), 6),
        p50=rank(50),
        p90=rank(90),
    )
