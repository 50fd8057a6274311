"""The event store in ranges of streams, small enough for memory, folded on all cores."""

import gc
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import groupby, pairwise
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from eventsourcing.persistence import Notification

from dixa_state.errors import StoreError
from dixa_state.fold import FoldResult
from dixa_state.store.recorder import EventRecorder
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Views
from dixa_state.views.rows import has_views

RANGE = 2_000
"""Events per range, about: a range is held in memory."""

T = TypeVar("T")
Place = tuple[ConversationTracker, Views]
_LAST = "\N{REPLACEMENT CHARACTER}"  # sorts after every stream's name, which is ASCII


class Range(NamedTuple):
    """The streams named from `low` to before `high`, up to a position."""

    low: str
    high: str
    position: int


def split(recorder: EventRecorder, position: int) -> list[Range]:
    """Split the store into ranges of about equal size, by a sample of its events."""
    sampled = (recorder.stream_at(at) for at in range(RANGE // 2, position + 1, RANGE))
    names = sorted({name for name in sampled if name is not None})
    return [Range(low, high, position) for low, high in pairwise(["", *names, _LAST])]


def read_range(tracker: ConversationTracker, part: Range) -> Iterator[list[Notification]]:
    """Yield the streams of a range, each with its events."""
    stored = tracker.event_recorder.select_range(*part)
    for _, events in groupby(stored, key=lambda event: event.originator_id):
        yield list(events)


def fold_range(tracker: ConversationTracker, part: Range) -> Iterator[tuple[str, FoldResult]]:
    """Yield the fold of every stream of a range that has rows in the views."""
    for events in read_range(tracker, part):
        stream = str(events[0].originator_id)
        if has_views(stream):
            yield stream, tracker.fold(events)


def on_all_cores(
    work: Callable[[Place, Range], T], parts: Sequence[Range], open_place: Callable[[], Place]
) -> Iterator[T]:
    """Run `work` for each range in worker processes; yield the results in the ranges' order.

    `open_place` opens the store in each process; where there is one range only, in this one, and it
    is closed at the end. Only a few ranges are in memory at a time, however slowly the results are
    consumed.
    """
    workers = min(os.cpu_count() or 1, len(parts))
    if workers == 1:
        tracker, views = open_place()
        with tracker, closing(views):
            yield from (work((tracker, views), part) for part in parts)
        return
    context = get_context("spawn")  # a fork would share the connections and the locks of threads
    with ProcessPoolExecutor(workers, context, _begin, (open_place,)) as pool:
        first = pool.submit(_do, work, parts[0])
        waiting: deque[Future[T]] = deque([first])
        try:
            for part in parts[1:]:
                waiting.append(pool.submit(_do, work, part))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            why = _NO_GUARD if first.exception() else "was there enough memory?"
            raise StoreError(f"a worker process has died: {why}") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_NO_GUARD = 'does the script do its work below `if __name__ == "__main__":`, and is there memory?'
"""What to look at where no worker did anything: each first imports the script that was started."""

_place: Any


def _begin(open_place: Callable[[], object]) -> None:
    global _place  # noqa: PLW0603 — the one thing that a worker process is for
    Thread(target=_end_with_parent, daemon=True).start()
    _place = open_place()
    gc.freeze()


def _end_with_parent() -> None:
    """Exit as soon as the parent has died: the pool's workers would wait for work for ever."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _do(work: Callable[[Any, Range], T], part: Range) -> T:
    gc.disable()  # a fold makes no cycles, and collecting takes half of the time
    try:
        return work(_place, part)
    finally:
        gc.enable()
