"""`status` and `list`: one conversation by its number, and a filtered and sorted first page."""

from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

from measuring import Beside, Result, percentile
from stores import MakeStore
from traffic import deliveries

from dixa_state import open_tracker
from dixa_state.bootstrap import open_views
from dixa_state.projection.projector import Projector
from dixa_state.projection.views import Views
from dixa_state.queries import Filters, Queries
from dixa_state.tracker import ConversationTracker

SIZES = (3_000, 60_000)
"""Events in the store, fewer and many."""

TIMES = 400
PAGE = 1_000


def status(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure the median milliseconds of one conversation, in a small store and in a large one."""
    found = []
    for size in SIZES:
        with open_tracker(make()) as tracker:
            views = _fill(tracker, size)
            numbers = _numbers(views)
            ours = _median(tracker.conversation, numbers)
            raw = _median(partial(_row, views), numbers)
            views.close()
        beside = Beside("SELECT of its row", raw, at_most=2.0)
        found.append(ours)
        yield Result(f"status, {len(set(numbers)):,} conversations", store, "ms", ours, (beside,))
    growth = Beside("the small store", found[0], at_most=1.3)
    yield Result("status, growth", store, "ms", found[1], (growth,))


def lists(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure the p99 of a first page of 50: open conversations of a queue, newest first."""
    with open_tracker(make()) as tracker:
        views = _fill(tracker, SIZES[-1])
        queries = Queries(tracker, views)
        with views.transaction() as connection:
            queue = connection.run(
                "SELECT queue_id FROM conversations WHERE queue_id IS NOT NULL "
                "GROUP BY queue_id ORDER BY count(*) DESC LIMIT 1"
            )[0][0]
        wanted = Filters(status=("closed",), queue=(queue,))
        sql = (
            "SELECT state FROM conversations WHERE status = :status AND queue_id = :queue "
            "ORDER BY last_event_at DESC LIMIT 50"
        )

        def by_hand(_: int) -> Any:
            with views.transaction() as connection:
                return connection.run(sql, status="closed", queue=queue)

        ours = percentile(_times(lambda _: queries.conversations(wanted), range(200)), 0.99)
        raw = percentile(_times(by_hand, range(200)), 0.99)
        views.close()
    beside = Beside("the SELECT by hand", raw, at_most=1.5)
    yield Result("list, p99", store, "ms", ours, (beside,), at_most=20)


def _fill(tracker: ConversationTracker, size: int) -> Views:
    sent = deliveries(size)
    for at in range(0, size, PAGE):
        tracker.append_many(sent[at : at + PAGE])
    views = open_views(tracker.event_recorder)
    Projector(tracker, views).catch_up()
    return views


def _numbers(views: Views) -> list[int]:
    with views.transaction() as connection:
        found = [row[0] for row in connection.run("SELECT csid FROM conversations ORDER BY csid")]
    step = max(len(found) // TIMES, 1)
    return found[::step][:TIMES]


def _row(views: Views, csid: int) -> Any:
    with views.transaction() as connection:
        return connection.run("SELECT state FROM conversations WHERE csid = :csid", csid=csid)


def _median(ask: Callable[[int], Any], numbers: list[int]) -> float:
    return percentile(_times(ask, numbers), 0.5)


def _times(ask: Callable[[int], Any], arguments: Any) -> list[float]:
    for argument in list(arguments)[:20]:
        ask(argument)
    times = []
    for argument in arguments:
        began = perf_counter()
        ask(argument)
        times.append((perf_counter() - began) * 1_000)
    return times
