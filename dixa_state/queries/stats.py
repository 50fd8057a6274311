"""Counts and durations over many conversations."""

from collections.abc import Callable
from typing import Any, NamedTuple

from dixa_state.projection.views import Connection, Views
from dixa_state.queries.conditions import Parameters, where
from dixa_state.queries.filters import of_conversation


class Measure(NamedTuple):
    """A duration over many conversations, in seconds, and the date that put them in the cohort."""

    name: str
    cohort: str
    conversations: int
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


def measured_stats(connection: Connection, views: Views, organization: str | None) -> Stats:
    """Count and measure in one transaction."""
    parameters = Parameters()
    of = where(of_conversation(organization, None), parameters)

    def run(sql: str) -> list[tuple[Any, ...]]:
        return connection.run(sql.replace("{of}", of), **parameters.values)

    def counts(column: str) -> dict[str | None, int]:
        found = run(
            f"SELECT t.{column}, count(*) FROM conversations AS t WHERE {{of}} "  # noqa: S608
            "GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return dict(found)

    by_status = counts("status")
    progress = views.read_progress(connection)
    moves = run(
        "SELECT count(*), "
        "sum(CASE WHEN t.after = 'open' AND t.before IN ('closed', 'abandoned') "
        "THEN 1 ELSE 0 END), "
        "sum(CASE WHEN t.irregular IS NOT NULL THEN 1 ELSE 0 END), "
        "sum(CASE WHEN t.inferred THEN 1 ELSE 0 END), sum(CASE WHEN t.late THEN 1 ELSE 0 END) "
        "FROM transitions AS t WHERE {of}"
    )[0]
    queued = run(
        "SELECT count(*), sum(CASE WHEN t.status = 'abandoned' THEN 1 ELSE 0 END) "
        "FROM conversations AS t WHERE t.entered_queue AND t.direction = 'INBOUND' AND {of}"
    )[0]
    ratings = run(
        "SELECT count(*), sum(CASE WHEN t.score >= 4 THEN 1 ELSE 0 END) "
        "FROM ratings AS t WHERE lower(t.type) = 'csat' AND t.score IS NOT NULL AND {of}"
    )[0]
    reopens, irregular, inferred, late = (int(count or 0) for count in moves[1:])
    return Stats(
        position=progress.position if progress else 0,
        conversations=sum(by_status.values()),
        transitions=moves[0],
        by_status=by_status,
        by_sla_status=counts("sla_status"),
        by_queue=counts("queue_name"),
        by_assignee=counts("assignee_name"),
        reopens=reopens,
        irregular=irregular,
        inferred=inferred,
        late=late,
        inbound_queued=queued[0],
        abandoned=int(queued[1] or 0),
        ratings=ratings[0],
        satisfied=int(ratings[1] or 0),
        measures=[_measure(run, name, cohort) for name, cohort in _MEASURES.items()],
        poison=[
            (row[0], row[1], row[2], row[3])
            for row in connection.run(
                "SELECT position, stream, topic, error FROM poison ORDER BY position"
            )
        ],
    )


_MEASURES = {
    "first_response": "created",
    "first_resolution": "created",
    "full_resolution": "created",
}


def _measure(run: Callable[[str], list[tuple[Any, ...]]], name: str, cohort: str) -> Measure:
    given = f"FROM conversations AS t WHERE t.{name} IS NOT NULL AND {{of}}"
    count, average = run(f"SELECT count(*), avg(t.{name}) {given}")[0]

    def rank(share: float) -> float | None:
        if not count:
            return None
        place = max(0, -int(-count * share // 1) - 1)
        found = run(f"SELECT t.{name} {given} ORDER BY 1 LIMIT 1 OFFSET {place}")
        return float(found[0][0])

    return Measure(name, cohort, count, average, rank(0.5), rank(0.9))
