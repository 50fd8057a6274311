"""Stores that grow, and what is measured in them on the way.

One grows to a hundred thousand conversations, or on demand to a million, of one event each, one of
those of the simulator under a number and an id of its own; another to ten million events, in
conversations as the simulator has them. Beyond a hundred thousand, copies of what is there are made
in the database, under other numbers.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from measuring import percentile
from raw import Raw, connect
from stores import MakeStore
from traffic import webhooks

from dixa_state import ConversationTracker, open_tracker
from dixa_state.bootstrap import open_place, open_views
from dixa_state.domain.lifecycle import STATUSES
from dixa_state.domain.states import decode_conversation
from dixa_state.domain.timestamps import format_time
from dixa_state.questions import Conversations, OneConversation, Reader
from dixa_state.store.events import Webhook
from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector
from dixa_state.views.replay import replay

MILLION = 1_000_000
REAL = 100_000
SIZES = [10_000, REAL]
"""The sizes at which the store of short conversations is measured; on demand a million, too."""

TEN_MILLION = (REAL, 10 * MILLION)

_BATCH = 1_000
_APPENDED = 2_000
_KINDS = 5_000
_PARTS = re.compile(
    rb'^\{\s*"event_id" : "([^"]+)".*?"event_timestamp" : "([^"]+)".*?"csid" : ([0-9]+)', re.DOTALL
)
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_BEFORE_ALL = datetime(2025, 12, 31, tzinfo=UTC)


class Mark(NamedTuple):
    """What was measured at a number of events: milliseconds, and for `append` events a second.

    `append_at_hand` is with all known events in the system's cache.
    """

    size: int
    append: float
    append_at_hand: float
    status: float
    select: float
    late: float
    list_p50: float
    by_hand_p50: float
    other_lists_p99: float


_marks: dict[str, list[Mark]] = {}


def grown(store: str, make: MakeStore) -> list[Mark]:
    """Grow a store of short conversations, once, and give what was measured at each size."""
    if store not in _marks:
        _marks[store] = _grow(make(), _bodies(), SIZES)
    return _marks[store]


def grown_to_ten_million(make: MakeStore) -> list[Mark]:
    """Grow a store of simulated conversations, and give what was measured at each size."""
    bodies = (body for body in webhooks(REAL * 11 // 10) if _PARTS.match(body))
    return _grow(make(), bodies, TEN_MILLION)


def _grow(url: str, bodies: Iterator[bytes], sizes: Sequence[int]) -> list[Mark]:
    with open_tracker(url) as tracker:
        with tracker.event_recorder.writing():  # which makes the file of SQLite
            pass
        return [_measured(url, tracker, bodies, size) for size in sizes]


def _bodies() -> Iterator[bytes]:
    """Give webhooks without end, each of a conversation of its own."""
    kinds = [body for body in webhooks(_KINDS) if _PARTS.match(body)]
    for number, body in enumerate(cycle(kinds), start=1):
        found = _PARTS.match(body)
        assert found
        parts = body
        at = format_time(_BEGAN + timedelta(seconds=20 * number)).encode()
        for name, old, new in (
            (b'"event_id" : "%s"', found[1], b"event-%d" % number),
            (b'"event_timestamp" : "%s"', found[2], at),
            (b'"csid" : %s', found[3], b"%d" % number),
        ):
            parts = parts.replace(name % old, name % new)
        yield parts


def _measured(url: str, tracker: ConversationTracker, bodies: Iterator[bytes], size: int) -> Mark:
    """Grow to a size, and measure there."""
    have = tracker.event_recorder.max_notification_id() or 0
    views = open_views(tracker.event_recorder)
    with connect(url) as raw:
        if size > REAL:
            assert Projector(tracker, views).catch_up()
            raw.multiply(-(-size // have))
        else:
            for at in range(have, size, _BATCH):
                _append(tracker, bodies, min(_BATCH, size - at))
            replay(tracker, views, partial(open_place, url))
        raw.refresh()
        shown = [row[0] for row in raw.rows("SELECT stream FROM conversations ORDER BY csid")]
        streams = shown[:: max(len(shown) // 400, 1)]
        numbers = [int(stream.rpartition("/")[2]) for stream in streams]
        reader = Reader(tracker, views)
        status, select = _paired(
            lambda csid: OneConversation(csid=csid).state(reader),
            partial(raw.rows, "SELECT state FROM conversations WHERE stream = ?"),
            [(number, stream) for number, stream in zip(numbers, streams, strict=True)],
        )
        ours, by_hand = _lists(reader, raw)
        others = percentile(_times(reader.ask, _other_lists(raw) * 10), 0.99)
        late = median(_late(tracker, views, number, size) for number in numbers[:40])
        append = _appends(tracker, bodies)
        raw.read_known()
        at_hand = _appends(tracker, bodies)
    views.close()
    return Mark(
        size=size,
        append=append,
        append_at_hand=at_hand,
        status=median(status),
        select=median(select),
        late=late * 1_000,
        list_p50=ours,
        by_hand_p50=by_hand,
        other_lists_p99=others,
    )


def _appends(tracker: ConversationTracker, bodies: Iterator[bytes]) -> float:
    times = (_timed(lambda: _append(tracker, bodies, 100)) for _ in range(_APPENDED // 100))
    return 100 / median(times)


def _append(tracker: ConversationTracker, bodies: Iterator[bytes], count: int) -> None:
    now = datetime.now(UTC)
    tracker.append_many([Webhook(body, now) for body in islice(bodies, count)])


def _late(tracker: ConversationTracker, views: Views, csid: int, size: int) -> float:
    """Time an event that happened before all others of its conversation, until it shows."""
    old = next(tracker.webhooks(csid)).webhook.body
    found = _PARTS.match(old)
    assert found
    at = format_time(_BEFORE_ALL - timedelta(minutes=size.bit_length())).encode()
    body = old.replace(found[1], b"late-%d-%d" % (csid, size)).replace(found[2], at)

    def work() -> None:
        assert tracker.append(body).kind == "appended"
        assert Projector(tracker, views).catch_up()

    return _timed(work)


def _lists(reader: Reader, raw: Raw) -> tuple[float, float]:
    """Return the median time of a first page by queue and status, newest first, of both ways."""
    sql = (
        "SELECT queue_id, status FROM conversations WHERE queue_id IS NOT NULL "
        "AND status IS NOT NULL GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 8"
    )
    wanted = [(str(queue), str(status)) for queue, status in raw.rows(sql)] * 40
    questions = [Conversations(queue=(queue,), status=(status,)) for queue, status in wanted]
    ours = _times(reader.ask, questions)
    raw.index()
    sql = (
        "SELECT state FROM conversations WHERE queue_id = ? AND status = ? "
        "ORDER BY last_event_at DESC, stream DESC LIMIT 50"
    )
    by_hand = _times(
        lambda one: [decode_conversation(bytes(state)) for (state,) in raw.rows(sql, *one)], wanted
    )
    raw.drop_index()
    return median(ours), median(by_hand)


def _other_lists(raw: Raw) -> list[Conversations]:
    """List by values that are common, rare, or in no row; each alone and with a status."""
    made = [Conversations(text="tent"), Conversations(text="zebra"), Conversations(irregular=True)]
    for column in ("queue_id", "queue_name", "assignee_name", "requester_email"):
        sql = (
            f"SELECT {column} FROM conversations WHERE {column} IS NOT NULL "  # noqa: S608
            "GROUP BY 1 ORDER BY count(*)"
        )
        values = [str(value) for (value,) in raw.rows(sql)]
        name = column.partition("_")[0]
        made += [Conversations(**{name: (one,)}) for one in (values[0], values[-1])]
    tags = raw.rows("SELECT DISTINCT tag FROM tags")[:3]
    made += [Conversations(tag=(str(tag),)) for (tag,) in tags]
    return made + [
        one.model_copy(update={"status": (status,)}) for one in made for status in STATUSES
    ]


def _paired(
    ours: Callable[[Any], Any], theirs: Callable[[Any], Any], arguments: list[tuple[Any, Any]]
) -> tuple[list[float], list[float]]:
    """Time two ways in turns, each first as often: the second finds the pages of the first."""
    for one, other in arguments[:20]:
        ours(one), theirs(other)
    times: tuple[list[float], list[float]] = ([], [])
    for number, (one, other) in enumerate(arguments):
        works = (partial(ours, one), partial(theirs, other))
        for which in (0, 1) if number % 2 else (1, 0):
            times[which].append(_timed(works[which]) * 1_000)
    return times


def _times(ask: Callable[[Any], Any], arguments: Sequence[Any]) -> list[float]:
    for argument in arguments[:20]:
        ask(argument)
    return [_timed(lambda argument=argument: ask(argument)) * 1_000 for argument in arguments]


def _timed(work: Callable[[], Any]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
