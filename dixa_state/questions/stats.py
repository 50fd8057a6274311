"""Counts and durations over many conversations."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from dixa_state.questions.conditions import Condition, Parameters, where
from dixa_state.questions.filters import of_conversation
from dixa_state.questions.naming import told_apart
from dixa_state.views.generations import Connection
from dixa_state.views.tables import micros

Run = Callable[[str], list[tuple[Any, ...]]]

_DAY = 86_400_000_000
_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC).date()


class Measure(NamedTuple):
    """A duration over many, in seconds, and the date that put each of them in the cohort.

    `p50` and `p90` are by nearest rank: durations that were measured.
    """

    name: str
    cohort: str
    measured: int
    average: float | None
    p50: float | None
    p90: float | None


class Stats(NamedTuple):
    """Counts and durations over all conversations of an organization, or of all of them."""

    position: int
    conversations: int
    transitions: int
    by_status: dict[str | None, int]
    by_sla_status: dict[str | None, int]
    by_queue: dict[str | None, int]
    by_assignee: dict[str | None, int]
    reopens: int
    irregular: int
    inferred: int
    late: int
    inbound_queued: int
    abandoned: int
    ratings: int
    satisfied: int
    measures: list[Measure]
    poison: list[tuple[int, str, str, str]]


class Day(NamedTuple):
    """What happened on one day (UTC): transitions to each status, and reopens among them.

    `began` counts the first transitions, so each conversation once. Each count is that of the
    transitions of that day with the same `before` and `after`.
    """

    day: date
    began: int
    opened: int
    pending: int
    closed: int
    abandoned: int
    reopens: int


def daily_counts(connection: Connection, conditions: Sequence[Condition]) -> list[Day]:
    """Count transitions by day, for the days that have any."""
    parameters = Parameters()
    sql = (
        f"SELECT t.since / {_DAY}, t.before, t.after, count(*) FROM transitions AS t "  # noqa: S608
        f"WHERE {where(conditions, parameters)} GROUP BY 1, 2, 3"
    )
    moves: dict[int, Counter[tuple[str | None, str]]] = defaultdict(Counter)
    for day, before, after, count in connection.run(sql, **parameters.values):
        moves[day][before, after] += count
    return [_day(day, found) for day, found in sorted(moves.items())]


def _day(day: int, moves: Counter[tuple[str | None, str]]) -> Day:
    to = Counter[str]()
    for (_, after), count in moves.items():
        to[after] += count
    return Day(
        day=_FIRST_DAY + timedelta(days=day),
        began=sum(count for (before, _), count in moves.items() if before is None),
        opened=to["open"],
        pending=to["pending"],
        closed=to["closed"],
        abandoned=to["abandoned"],
        reopens=moves["closed", "open"] + moves["abandoned", "open"],
    )


def measured_stats(
    connection: Connection, position: int, organization: str | None, now: datetime
) -> Stats:
    """Count and measure in one transaction, with the views at this position."""
    parameters = Parameters({"now": micros(now)})
    of = where(of_conversation(organization, None), parameters)

    def run(sql: str) -> list[tuple[Any, ...]]:
        return connection.run(sql.replace("{of}", of), **parameters.values)

    by_status = _counts(run, "status", "status")
    moves, queued, ratings = run(_MOVES)[0], run(_QUEUED)[0], run(_RATINGS)[0]
    reopens, irregular, inferred, late = (int(count or 0) for count in moves[1:])
    return Stats(
        position=position,
        conversations=sum(by_status.values()),
        transitions=moves[0],
        by_status=by_status,
        by_sla_status=_counts(run, "sla_status", "sla_status"),
        by_queue=_counts(run, "queue_id", "queue_name"),
        by_assignee=_counts(run, "assignee_id", "assignee_name", "assignee_email"),
        reopens=reopens,
        irregular=irregular,
        inferred=inferred,
        late=late,
        inbound_queued=queued[0],
        abandoned=int(queued[1] or 0),
        ratings=ratings[0],
        satisfied=int(ratings[1] or 0),
        measures=[_measure(run, name, *_MEASURES[name]) for name in _MEASURES],
        poison=[(row[0], row[1], row[2], row[3]) for row in connection.run(_POISON)],
    )


def _counts(run: Run, *columns: str) -> dict[str | None, int]:
    """Count conversations by what these columns name, the most frequent first."""
    wanted = ", ".join(f"t.{column}" for column in columns)
    found = run(
        f"SELECT count(*), {wanted} FROM conversations AS t WHERE {{of}} "  # noqa: S608
        f"GROUP BY {wanted}"
    )
    values = told_apart({row[1:] for row in found})
    total: Counter[str | None] = Counter()
    for count, *known in found:
        total[values[tuple(known)]] += count
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0] or "")))


_MOVES = (
    "SELECT count(*), "
    "sum(CASE WHEN t.after = 'open' AND t.before IN ('closed', 'abandoned') THEN 1 ELSE 0 END), "
    "sum(CASE WHEN t.irregular IS NOT NULL THEN 1 ELSE 0 END), "
    "sum(CASE WHEN t.inferred THEN 1 ELSE 0 END), sum(CASE WHEN t.late THEN 1 ELSE 0 END) "
    "FROM transitions AS t WHERE {of}"
)
_QUEUED = (
    "SELECT count(*), sum(CASE WHEN t.status = 'abandoned' THEN 1 ELSE 0 END) "
    "FROM conversations AS t WHERE t.entered_queue AND t.direction = 'INBOUND' AND {of}"
)
_RATINGS = (
    "SELECT count(*), sum(CASE WHEN t.score >= 4 THEN 1 ELSE 0 END) "
    "FROM ratings AS t WHERE lower(t.type) = 'csat' AND t.score IS NOT NULL AND {of}"
)
_POISON = "SELECT position, stream, topic, error FROM poison ORDER BY position"
_OF_CONVERSATION = "SELECT t.{name} AS seconds FROM conversations AS t WHERE {of}"
_IN_STATUS = (
    "SELECT sum(coalesce(t.until, :now) - t.since) / 1000000.0 AS seconds "
    "FROM transitions AS t WHERE t.after = '{name}' AND {of} GROUP BY t.stream"
)
_QUEUE_WAIT = (
    "SELECT v.wait AS seconds FROM queue_visits AS v "
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
    measured = f"FROM ({of}) AS measured WHERE seconds IS NOT NULL"
    count, average = run(f"SELECT count(*), avg(seconds) {measured}")[0]

    def rank(percent: int) -> float | None:
        if not count:
            return None
        place = -(-count * percent // 100) - 1
        found = run(f"SELECT seconds {measured} ORDER BY 1 LIMIT 1 OFFSET {place}")
        return float(found[0][0])

    average = None if average is None else float(average)
    return Measure(name, cohort, count, average, rank(50), rank(90))
