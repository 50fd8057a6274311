"""`replay`: every view from the event store, end to end."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import sleep

from measuring import Beside, Result, in_turns, timed
from plain import Kept, application
from stores import MakeStore
from traffic import EVENTS_EACH, received_webhooks, webhooks

from dixa_state import open_tracker

EVENTS = 120_000
AGGREGATES = 600
PAGE = 1_000
MOST_MEGABYTES = 256


def replay(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure events a second: ours, reading alone, and the library's repository."""
    url, plain = make(), make()
    with open_tracker(url) as tracker:
        sent = received_webhooks(EVENTS)
        for at in range(0, EVENTS, PAGE):
            tracker.append_many(sent[at : at + PAGE])
    _keep_plainly(plain)
    peaks: list[float] = []
    rates = in_turns(
        {
            "ours": lambda: _replayed(url, peaks),
            "reading": lambda: _read(url),
            "repository": lambda: _repository(plain),
        }
    )
    yield Result(
        "replay",
        store,
        "events/s",
        rates["ours"],
        (
            Beside("one connection reading the rows", rates["reading"], at_least=1.0),
            Beside("the library's repository", rates["repository"], at_least=8),
        ),
    )
    yield Result(
        "replay, memory of all its processes", store, "MB", max(peaks), at_most=MOST_MEGABYTES
    )


def _replayed(url: str, peaks: list[float]) -> float:
    words = [sys.executable, "-c", "from dixa_state.cli import main; main()"]
    words += ["replay", "--json", "--store", url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as replaying:
        peak = 0.0
        while replaying.poll() is None:
            peak = max(peak, _megabytes(replaying.pid))
            sleep(0.05)
        assert replaying.stdout
        assert replaying.returncode == 0
        told = json.loads(replaying.stdout.read())
    peaks.append(peak)
    return EVENTS / float(told["seconds"])


def _megabytes(session: int) -> float:
    """Sum up the memory of a session's processes; what several share counts once."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                lines = (process / "smaps_rollup").read_text().splitlines()
                found += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found / 1024


def _read(url: str) -> float:
    with open_tracker(url) as tracker, timed() as seconds:
        recorder, at = tracker.event_recorder, 1
        while found := recorder.select_notifications(at, PAGE):
            at = found[-1].id + 1
    return EVENTS / seconds()


def _keep_plainly(url: str) -> None:
    texts = [body.decode() for body in webhooks(AGGREGATES * EVENTS_EACH)]
    with application(url) as plain:
        for at in range(0, len(texts), EVENTS_EACH):
            first, *more = texts[at : at + EVENTS_EACH]
            kept = Kept(first)
            for text in more:
                kept.go_on(text)
            plain.save(kept)


def _repository(url: str) -> float:
    with application(url) as plain:
        ids = {
            stored.originator_id
            for stored in plain.recorder.select_notifications(start=1, limit=1_000_000)
        }
        with timed() as seconds:
            for originator_id in ids:
                plain.repository.get(originator_id)
        return len(ids) * EVENTS_EACH / seconds()
