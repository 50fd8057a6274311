"""What is measured over a period: a table of measures, and the one way in which all are computed.

Each measure selects samples, one row or several pieces of each: an interval to be added up in
seconds, or whether something was so. A sample counts in the period of its cohort date, and for the
queue, the agent and the tags that the conversation had at the sample's end.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from dixa_state.domain.lifecycle import RUNNING
from dixa_state.domain.timestamps import in_zone
from dixa_state.questions.business_hours import BusinessHours
from dixa_state.questions.compared import By, OverPeriod
from dixa_state.questions.conditions import Parameters, where
from dixa_state.questions.filters import as_stored, between
from dixa_state.questions.names import known_pairs
from dixa_state.questions.naming import distinct_values
from dixa_state.questions.periods import Period, read_zone
from dixa_state.questions.question import NONE, Answer
from dixa_state.views.generations import Connection
from dixa_state.views.sql import IN_ENDED, IN_RUNNING
from dixa_state.views.tables import EPOCH, micros

Unit = Literal["seconds", "share", "count"]
Group = str | None
Name = Callable[[tuple[Any, ...]], Group]


class Measure(NamedTuple):
    """A measure: what it is, its unit, the date of its cohort, and the rows `x` that it counts.

    Of each row: `at` is the cohort date; the sample, or a piece of it, is from `begin` to `finish`,
    or has a `value`; `bound` is whether it is only an upper bound, and so left out. The rows of
    some name a queue or an agent of their `own`. `in_pieces` is whether a sample may have several
    rows.
    """

    name: str
    unit: Unit
    cohort: str
    meaning: str
    source: str
    at: str
    finish: str
    begin: str = "NULL"
    value: str = "NULL"
    bound: str = "FALSE"
    number: str = "x.number"
    own: Literal["queue", "agent"] | None = None
    in_pieces: bool = False

    @property
    def rows(self) -> str:
        """Return the statement that selects what every measure has, and its own."""
        columns = {name: getattr(self, name) for name in _SAMPLE} | {"stream": "x.stream"}
        if self.own:
            columns |= {name: f"x.{name}" for name in _KEYS[self.own]}
        selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
        return f"SELECT {selected} FROM {self.source}"  # noqa: S608


_SAMPLE = ("number", "at", "begin", "finish", "value", "bound")


def _resolution(name: str, meaning: str) -> Measure:
    return Measure(
        name,
        "seconds",
        "created",
        meaning,
        f"conversations AS x WHERE x.{name} IS NOT NULL OR x.{name}_bound",
        number="0",
        at="x.created_at",
        begin="x.created_at",
        finish=f"x.created_at + CAST(round(x.{name} * 1000000) AS BIGINT)",
        bound=f"x.{name}_bound",
    )


_INEXACT = "' ' || o.inexact || ' ' LIKE '% ' || {} || ' %'"
"""Whether the time in a status is only an upper bound, in the conversation `o`."""


def _in_status(status: str) -> Measure:
    return Measure(
        status,
        "seconds",
        "created",
        f"time in status {status}",
        "transitions AS x JOIN conversations AS o ON o.stream = x.stream "
        f"WHERE x.after = '{status}'",
        number="0",
        at="o.created_at",
        begin="x.since",
        finish="coalesce(x.until, :now)",
        bound=_INEXACT.format("x.after"),
        in_pieces=True,
    )


_HELD_UNTIL, _STATUS_UNTIL = "coalesce(x.until, :now)", "coalesce(s.until, :now)"

MEASURES = (
    Measure(
        "conversations",
        "count",
        "created",
        "conversations",
        "conversations AS x",
        number="0",
        at="x.created_at",
        finish="x.last_event_at",
    ),
    Measure(
        "first_response",
        "seconds",
        "created",
        "the customer's first message to the first answer of an agent",
        "conversations AS x WHERE x.answered_at IS NOT NULL",
        number="0",
        at="x.created_at",
        begin="x.asked_at",
        finish="x.answered_at",
        bound="x.first_response_bound",
    ),
    Measure(
        "next_response",
        "seconds",
        "asked",
        "each later message that waited to the answer of an agent",
        "responses AS x JOIN conversations AS o ON o.stream = x.stream "
        "WHERE (o.answered_at IS NULL OR x.answered_at > o.answered_at)",
        at="x.asked_at",
        begin="x.asked_at",
        finish="x.answered_at",
        own="agent",
    ),
    _resolution("first_resolution", "creation to the first close"),
    _resolution("full_resolution", "creation to the last close"),
    *map(_in_status, RUNNING),
    Measure(
        "queue_wait",
        "seconds",
        "enqueued",
        "entering a queue to the assignment, for each visit that ended so",
        "queue_visits AS x WHERE x.outcome = 'assigned'",
        at="x.enqueued_at",
        begin="x.enqueued_at",
        finish="x.left_at",
        bound="x.inferred",
        own="queue",
    ),
    Measure(
        "handling_time",
        "seconds",
        "assigned",
        "each assignment to an agent, while the conversation had not ended",
        "assignments AS x JOIN conversations AS o ON o.stream = x.stream "
        "JOIN transitions AS s ON s.stream = x.stream "
        f"AND s.after {IN_RUNNING} "
        f"AND s.since < {_HELD_UNTIL} AND {_STATUS_UNTIL} > x.since",
        at="x.since",
        begin="CASE WHEN x.since > s.since THEN x.since ELSE s.since END",
        finish=f"CASE WHEN {_HELD_UNTIL} < {_STATUS_UNTIL} "
        f"THEN {_HELD_UNTIL} ELSE {_STATUS_UNTIL} END",
        bound=f"(x.how = 'inferred' OR x.until_inferred OR {_INEXACT.format('s.after')})",
        own="agent",
        in_pieces=True,
    ),
    Measure(
        "csat",
        "share",
        "rated",
        "scores of 4 and 5 of all CSAT scores",
        "ratings AS x WHERE lower(x.type) = 'csat' AND x.score IS NOT NULL",
        at="x.rated_at",
        finish="x.rated_at",
        value="CASE WHEN x.score >= 4 THEN 1 ELSE 0 END",
        own="agent",
    ),
    Measure(
        "reopen_rate",
        "share",
        "ended",
        "ends that a reopening followed, of all ends",
        "transitions AS x LEFT JOIN transitions AS n "
        "ON n.stream = x.stream AND n.sequence = x.sequence + 1 "
        f"WHERE x.after {IN_ENDED}",
        number="x.sequence",
        at="x.since",
        finish="x.since",
        value=f"CASE WHEN n.after {IN_RUNNING} THEN 1 ELSE 0 END",
    ),
    Measure(
        "abandon_rate",
        "share",
        "enqueued",
        "visits to a queue that ended abandoned, of all visits",
        "queue_visits AS x",
        at="x.enqueued_at",
        finish="coalesce(x.left_at, x.enqueued_at)",
        value="CASE WHEN x.outcome = 'abandoned' THEN 1 ELSE 0 END",
        own="queue",
    ),
)

_THEN = (
    "{i}.stream = {m}.stream AND {i}.since <= coalesce({m}.finish, {m}.at) "
    "AND ({i}.until IS NULL OR {i}.until > coalesce({m}.finish, {m}.at))"
)
"""An interval `i` contains the end of a sample `m`."""

_JOINED: dict[By, tuple[str, str]] = {
    "agent": ("a", "assignments"),
    "queue": ("q", "queue_intervals"),
}


@dataclass(frozen=True)
class Scope:
    """The scope of a measure: which samples, broken down by what, in which hours, up to when."""

    asked: OverPeriod
    period: Period
    now: datetime
    hours: BusinessHours | None = None

    def statement(self, measure: Measure, by: By | None) -> tuple[str, dict[str, Any]]:
        """Return the statement that selects samples, or in business hours pieces of them.

        Of a sample: its length in microseconds, whether it is only a bound, and its key.
        """
        parameters = Parameters({"now": micros(self.now)})
        asked = self.asked
        columns, joins = [], []
        if by == "channel" or asked.channel or self.hours or asked.organization is not None:
            joins.append("JOIN conversations AS c ON c.stream = m.stream")
            columns += ["c.channel", "c.organization_id"]
        for name, (alias, table) in _JOINED.items():
            if by != name and not getattr(asked, name):
                continue
            own = name == measure.own
            if not own:
                joins.append(f"LEFT JOIN {table} AS {alias} ON {_THEN.format(i=alias, m='m')}")
            columns += [f"{'m' if own else alias}.{column}" for column in _KEYS[name]]
        if by == "tag":
            joins.append(f"LEFT JOIN tags AS g ON {_THEN.format(i='g', m='m')}")
            columns.append("g.tag")
        selected = ", ".join([*(f"m.{name}" for name in ("stream", *_SAMPLE)), *columns])
        inner = f"SELECT {selected} FROM ({measure.rows}) AS m {' '.join(joins)}"  # noqa: S608
        key = "".join(f", t.{name}" for name in _KEYS[by])
        conditions = [*asked.of_whom("agent"), *between("since", "at", *self.period)]
        fits = f"{where(conditions, parameters)}{self._tagged(parameters)}"
        rows = f"FROM ({inner}) AS t WHERE {fits}"
        if self.hours:  # which SQL does not know
            pieces = "t.stream, t.number, t.begin, t.finish, t.value, t.bound, t.organization_id"
            return f"SELECT {pieces}{key} {rows}", parameters.values
        length = _LENGTHS[measure.unit]
        if not measure.in_pieces:
            return f"SELECT {length}, t.bound{key} {rows}", parameters.values
        summed = (
            f"SELECT CAST(sum({length}) AS BIGINT), max(CASE WHEN t.bound THEN 1 ELSE 0 END){key}"
        )
        return f"{summed} {rows} GROUP BY t.stream, t.number{key}", parameters.values

    def _tagged(self, parameters: Parameters) -> str:
        tags = self.asked.tag
        if not tags:
            return ""
        had = f"SELECT 1 FROM tags AS g WHERE {_THEN.format(i='g', m='t')}"  # noqa: S608
        some = parameters.bind_all([as_stored(tag) for tag in tags if tag != NONE] or [""])
        none = f"NOT EXISTS ({had}) OR " if NONE in tags else ""
        return f" AND ({none}EXISTS ({had} AND g.tag IN {some}))"


_LENGTHS = {
    "seconds": "CASE WHEN t.finish > t.begin THEN t.finish - t.begin "
    "WHEN t.finish <= t.begin THEN 0 END",
    "share": "t.value",
    "count": "1",
}
_KEYS: dict[By | None, tuple[str, ...]] = {
    None: (),
    "day": ("at",),
    "hour": ("at",),
    "queue": ("queue_id", "queue_name"),
    "agent": ("agent_id", "agent_name"),
    "channel": ("channel",),
    "tag": ("tag",),
}


class Measured(Answer):
    """A measure over the samples of a period."""

    unit: Unit = Field(description="Seconds, the share of samples that were so, or a mere count.")
    cohort: str = Field(description="The date that puts a sample into the period.")
    count: int = Field(description="How many were measured.")
    average: float | None = Field(description="The average, or the share.")
    p50: float | None = Field(description="The median, by nearest rank.")
    p90: float | None = Field(description="The 90th percentile, by nearest rank.")
    upper_bounds: int = Field(
        description="Samples left out, of which only an upper bound is known."
    )


class _Samples:
    """The samples of a group: their lengths in microseconds, and how many are only bounds."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.bounds = 0

    def measured(self, measure: Measure) -> Measured:
        """Return the figures of the samples that are no mere bounds."""
        lengths, scale = sorted(self.lengths), 1_000_000 if measure.unit == "seconds" else 1
        ranked = lengths if measure.unit == "seconds" else []
        mean = None if measure.unit == "count" or not lengths else sum(lengths) / len(lengths)
        return Measured(
            unit=measure.unit,
            cohort=measure.cohort,
            count=len(lengths),
            average=None if mean is None else round(mean / scale, 6),
            p50=_rank(ranked, 50),
            p90=_rank(ranked, 90),
            upper_bounds=self.bounds,
        )


def _rank(lengths: Sequence[int], percent: int) -> float | None:
    """Return a percentile by nearest rank, in seconds."""
    return lengths[-(-len(lengths) * percent // 100) - 1] / 1_000_000 if lengths else None


def measure_all(
    connection: Connection,
    scope: Scope,
    by: By | None = None,
    names: Collection[str] | None = None,
) -> dict[Group, dict[str, Measured]]:
    """Compute every measure, or those of some names, for each group that has samples."""
    name = _group_names(connection, by, read_zone(scope.asked.time_zone))
    measures = [one for one in MEASURES if names is None or one.name in names]
    nothing = {measure.name: _Samples().measured(measure) for measure in measures}
    found: dict[Group, dict[str, Measured]] = defaultdict(nothing.copy)
    if by is None:
        found[None] = nothing.copy()
    for measure in measures:
        for group, samples in _grouped(connection, scope, measure, by, name).items():
            found[group][measure.name] = samples.measured(measure)
    return dict(sorted(found.items(), key=lambda item: (item[0] is None, item[0] or "")))


def _grouped(
    connection: Connection, scope: Scope, measure: Measure, by: By | None, name: Name
) -> dict[Group, _Samples]:
    sql, values = scope.statement(measure, by)
    rows: Iterable[Sequence[Any]] = connection.run(sql, **values)
    if scope.hours is not None:
        rows = _in_hours(rows, measure, scope.hours)
    grouped: dict[Group, _Samples] = defaultdict(_Samples)
    by_key: dict[tuple[Any, ...], _Samples] = {}  # a name is found once, not for every row
    for length, bound, *key in rows:
        samples = by_key.get(known := tuple(key))
        if samples is None:
            samples = by_key[known] = grouped[name(known)]
        if bound:
            samples.bounds += 1
        elif length is not None:
            samples.lengths.append(length)
    return grouped


def _in_hours(
    pieces: Iterable[Sequence[Any]], measure: Measure, hours: BusinessHours
) -> Iterator[tuple[Any, ...]]:
    """Yield samples, each the sum of the business hours in its pieces."""
    lengths: dict[tuple[Any, ...], int | None] = defaultdict(lambda: None)
    bounds: set[tuple[Any, ...]] = set()
    for stream, number, begin, finish, value, bound, owner, *key in pieces:
        length = value if measure.unit == "share" else 1
        if measure.unit == "seconds":
            length = None if finish is None else hours.of(owner).open_during(begin, finish)
        sample = (stream, number, *key)
        if length is not None:
            lengths[sample] = (lengths[sample] or 0) + length
        if bound:
            bounds.add(sample)
    for sample in lengths.keys() | bounds:
        yield lengths[sample], sample in bounds, *sample[2:]


def _group_names(connection: Connection, by: By | None, zone: ZoneInfo) -> Name:
    """Return what names the group of a sample, by its cohort date and its key."""
    match by:
        case "day" | "hour":
            return lambda key: group_in_time(key[0], by, zone)
        case "queue" | "agent":
            values = distinct_values(set(known_pairs(connection, by)) | {(None, None)})
            return lambda key: values.get(key, key[1] or key[0])
        case _:
            return lambda key: key[0] if key else None


def group_in_time(at: int, by: Literal["day", "hour"], zone: ZoneInfo) -> str:
    """Return the day or the hour of a zone that a time, in microseconds, is in."""
    local = in_zone(EPOCH + timedelta(microseconds=at), zone)
    return local.strftime("%Y-%m-%d" if by == "day" else "%Y-%m-%dT%H:00")
