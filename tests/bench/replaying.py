"""`replay`: every view from the event store, end to end. `project`: the live projector's CPU."""

import json
import subprocess
import sys
from collections.abc import Iterator
from time import process_time, sleep

from measuring import Beside, Result, in_turns, megabytes, timed
from stores import MakeStore
from traffic import received_webhooks

from dixa_state import ConversationTracker, open_tracker
from dixa_state.bootstrap import open_views
from dixa_state.views.projector import Projector
from dixa_state.views.ranges import fold_range, split
from dixa_state.views.rows import rows
from dixa_state.views.sqlite import temporary_views

EVENTS = 60_000
PROJECTED = 12_000
PAGE = 1_000
MOST_MEGABYTES = 256


def replay(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure events a second: ours, and one process that reads, folds and inserts."""
    url = make()
    with open_tracker(url) as tracker:
        _fill(tracker, EVENTS)
    peaks: list[float] = []
    rates = in_turns({"ours": lambda: _replayed(url, peaks), "one": lambda: _by_one_process(url)})
    beside = Beside("one process, no indexes", rates["one"], at_least=1.3)
    yield Result("replay", store, "events/s", rates["ours"], (beside,))
    yield Result(
        "replay, memory of all its processes", store, "MB", max(peaks), at_most=MOST_MEGABYTES
    )


def project(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure the microseconds of CPU that an event costs the live projector, in this process."""
    for page, most in ((64, 50), (500, 30)):
        with open_tracker(make()) as tracker:
            views = open_views(tracker.event_recorder)
            projector = Projector(tracker, views, batch_size=page)
            _fill(tracker, PROJECTED)
            began = process_time()
            assert projector.catch_up()
            taken = (process_time() - began) / PROJECTED * 1e6
            views.close()
        yield Result(f"project, {page} a page", store, "µs/event", taken, at_most=most)


def _fill(tracker: ConversationTracker, events: int) -> None:
    sent = received_webhooks(events)
    for at in range(0, events, PAGE):
        tracker.append_many(sent[at : at + PAGE])


def _by_one_process(url: str) -> float:
    """Read, fold and insert the rows into fresh tables without indexes, in a database of its own.

    That is one of SQLite, the fastest there is, for either store.
    """
    with open_tracker(url, create=False) as tracker, timed() as seconds:
        made = (
            row
            for part in split(tracker.event_recorder, EVENTS)
            for stream, folded in fold_range(tracker, part)
            if folded.state is not None
            for row in rows(stream, folded.state)
        )
        with temporary_views(made):
            pass
    return EVENTS / seconds()


def _replayed(url: str, peaks: list[float]) -> float:
    words = [sys.executable, "-m", "dixa_state"]
    words += ["replay", "--json", "--store", url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as replaying:
        peak = 0.0
        while replaying.poll() is None:
            peak = max(peak, megabytes(replaying.pid))
            sleep(0.05)
        assert replaying.stdout
        assert replaying.returncode == 0
        told = json.loads(replaying.stdout.read())
    peaks.append(peak)
    return EVENTS / float(told["seconds"])
