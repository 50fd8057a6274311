"""What a support desk has before it now, in a few numbers: for metrics and alerts."""

from typing import NamedTuple

from dixa_state.questions.reader import Reader
from dixa_state.views.tables import micros

MAX_QUEUES = 50
"""Queues that are named, those where most wait; the others are counted together."""

OTHERS = "other queues"

_OPEN = """
SELECT status, count(*), sum(CASE WHEN assignee_id IS NULL AND assignee_name IS NULL
    AND assignee_email IS NULL THEN 1 ELSE 0 END),
    sum(CASE WHEN sla_status = 'breached' THEN 1 ELSE 0 END)
FROM conversations WHERE status IN ('open', 'pending') GROUP BY status
"""
_WAITING = """
SELECT COALESCE(v.queue_name, v.queue_id, 'none'), count(*), min(v.enqueued_at)
FROM conversations AS c JOIN queue_visits AS v ON v.stream = c.stream
WHERE c.status IN ('open', 'pending') AND v.left_at IS NULL
GROUP BY COALESCE(v.queue_name, v.queue_id, 'none') ORDER BY count(*) DESC, 1
"""
_MISSED = "SELECT count(*) FROM missed"


class QueueLoad(NamedTuple):
    """How many wait in a queue, and the seconds that the first of them has waited."""

    waiting: int
    longest_wait: float


class Workload(NamedTuple):
    """How many conversations are open and pending, without an agent, and breached; who waits."""

    open: int
    pending: int
    unassigned: int
    breached: int
    missed_webhooks: int
    queues: dict[str, QueueLoad]


def workload(reader: Reader) -> Workload:
    """Count, in the views as they are."""
    now = micros(reader.now())
    with reader.moment() as (connection, _):
        counted = {status: rest for status, *rest in connection.run(_OPEN)}
        waiting = connection.run(_WAITING)
        missed = connection.run(_MISSED)[0][0]
    queues: dict[str, QueueLoad] = {}
    for place, (name, count, since) in enumerate(waiting):
        name = name if place < MAX_QUEUES else OTHERS  # noqa: PLW2901 — a label of bounded values
        before = queues.get(name, QueueLoad(0, 0.0))
        wait = max(now - since, 0) / 1_000_000
        queues[name] = QueueLoad(before.waiting + count, max(before.longest_wait, wait))
    opened, pending = (counted.get(status, (0, 0, 0)) for status in ("open", "pending"))
    return Workload(
        open=opened[0],
        pending=pending[0],
        unassigned=int(opened[1]),
        breached=int(opened[2] + pending[2]),
        missed_webhooks=missed,
        queues=queues,
    )
