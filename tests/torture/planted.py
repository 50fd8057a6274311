"""Bugs that are put in on purpose, to see that the harness finds them.

`python planted.py NAME serve …` runs the program with one of them; each is made wide by a short
delay, so that a few rounds are enough.
"""

# ruff: noqa: SLF001 — a bug sits inside

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import random
from threading import Event as Signal
from time import sleep
from typing import Any
from unittest.mock import patch

from dixa_state import cli
from dixa_state.errors import StoreUnavailableError
from dixa_state.store import append as appending
from dixa_state.store import postgres, sqlite
from dixa_state.store.append import Accepted, Outcome, Rejected, prepare
from dixa_state.store.recorder import EventRecorder
from dixa_state.views.projector import Projector
from dixa_state.web import inbox, projection
from dixa_state.web.projection import Report

_WIDE = 0.05


def command(name: str) -> list[str]:
    """Give the command that runs the program with a bug."""
    return [sys.executable, str(Path(__file__)), name]


def acknowledge_before_commit() -> None:
    """Answer when the batch is written, while its commit is still to come."""

    async def _commit(self: inbox.Inbox, batch: list[inbox._Waiting]) -> None:
        loop = asyncio.get_running_loop()
        recorder: EventRecorder = self._append.__self__.event_recorder  # type: ignore[attr-defined]
        prepared = [prepare(waiting.webhook) for waiting in batch]

        def tell(outcomes: Sequence[Outcome]) -> None:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if not waiting.outcome.done():
                    waiting.outcome.set_result(outcome)

        def work() -> None:
            with recorder.writing() as writer:
                outcomes = appending.append_batch(writer, prepared)
                loop.call_soon_threadsafe(tell, outcomes)
                sleep(_WIDE)

        await loop.run_in_executor(self._thread, work)

    inbox.Inbox._commit = _commit  # type: ignore[method-assign]


def check_then_insert() -> None:
    """Look for duplicates before the lock is taken, and enter them whatever is there by then."""

    def append(self: EventRecorder, prepared: Sequence[Accepted | Rejected]) -> list[Outcome]:
        keys = [item.key for item in prepared if isinstance(item, Accepted)]
        known = self.known(keys)
        sleep(6 * _WIDE)  # as wide as two commands may begin apart
        with self.writing() as writer:
            look_up = writer.look_up

            def late(keys: Sequence[bytes], streams: Sequence[str]) -> Any:
                return dict(known), look_up(keys, streams)[1]

            with patch.object(writer, "look_up", late):
                return appending.append_batch(writer, prepared)

    EventRecorder.append = append  # type: ignore[method-assign]
    statement = "insert_known_events"
    insert = sqlite._SQL[statement].rstrip(";\n ")
    sqlite._SQL = {**sqlite._SQL, statement: f"{insert} ON CONFLICT DO NOTHING"}


def positions_before_the_lock() -> None:
    """Hand positions out in a transaction of their own, and store the events in any order."""

    def append(self: EventRecorder, prepared: Sequence[Accepted | Rejected]) -> list[Outcome]:
        with self.writing() as writer:
            keys = [item.key for item in prepared if isinstance(item, Accepted)]
            known, _ = writer.look_up(keys, [])
            before = writer.last_position()
            fresh = {i.key for i in prepared if isinstance(i, Accepted) and i.key not in known}
            writer._execute("advance_head", position=before + len(fresh))  # type: ignore[attr-defined]
        sleep(random() * _WIDE)
        with self.writing() as writer, patch.object(writer, "last_position", lambda: before):
            return appending.append_batch(writer, prepared)

    EventRecorder.append = append  # type: ignore[method-assign]


def position_before_the_rows() -> None:
    """Let the projector write its position first, and the rows in a transaction of their own."""

    def step(self: Projector) -> int | None:
        news = self._read()
        if news is None:
            return None
        page = self._fold(news)
        with self._views.transaction(write=True) as first:
            self._views.advance(first, self._name, page.at, page.to)
        sleep(5 * _WIDE)
        with self._views.transaction(write=True) as second:
            self._write(second, page)
        return page.to.position

    Projector.step = step  # type: ignore[method-assign]


def commits_that_are_put_off() -> None:
    """Leave it to the database whether a commit is on disk when it returns."""
    postgres.PostgresRecorder._append_few = lambda *_: {}  # type: ignore[method-assign]
    durable = postgres._SQL["durable"].encode()
    postgres._END_APPEND = postgres._END_APPEND.replace(durable, b"")


def no_second_try() -> None:
    """Let the projector end, silently, when the store is away."""

    def project(projector: Projector, stop: Signal, report: Report) -> None:
        with suppress(StoreUnavailableError):
            projector._lead_once(stop, lambda _position: report(None))
        stop.wait()

    projection.project = project


BUGS: dict[str, Callable[[], None]] = {
    "acknowledge-before-commit": acknowledge_before_commit,
    "check-then-insert": check_then_insert,
    "positions-before-the-lock": positions_before_the_lock,
    "position-before-the-rows": position_before_the_rows,
    "commits-that-are-put-off": commits_that_are_put_off,
    "no-second-try": no_second_try,
}


if __name__ == "__main__":
    BUGS[sys.argv[1]]()
    sys.argv[1:] = sys.argv[2:]
    cli.main()
