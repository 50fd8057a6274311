"""What the tests of projections share: a store with its views, its rows, and worlds to fill it."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from dixa_state import ConversationTracker, Webhook, open_tracker
from dixa_state.bootstrap import open_place, open_views
from dixa_state.dixa.signature import Secrets
from dixa_state.fold import Poison
from dixa_state.views import replay as replaying
from dixa_state.views import verify as verifying
from dixa_state.views.generations import Progress, Views
from dixa_state.views.projector import Projector
from dixa_state.views.tables import TABLES
from dixa_state.views.verify import Finding

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOME = b"5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"
SMALL_RANGE = 200
ROW_TYPES = {**TABLES, "poison": Poison}

Place = tuple[ConversationTracker, Views]
Rows = dict[str, list[tuple[Any, ...]]]


@contextmanager
def opened(url: str, **options: Any) -> Iterator[Place]:
    """Open a store, made if there is none, and its views."""
    with open_tracker(url, **options) as tracker:
        views = open_views(tracker.event_recorder)
        try:
            yield tracker, views
        finally:
            views.close()


def deliver(tracker: ConversationTracker, bodies: Sequence[bytes]) -> None:
    tracker.append_many([Webhook(raw, NOON) for raw in bodies])


def project(place: Place, **options: Any) -> None:
    assert Projector(*place, **options).catch_up()


def replay(url: str, place: Place, progress: Callable[[int], None] = lambda _: None) -> Progress:
    return replaying.replay(*place, partial(open_place, url), progress)


def findings(url: str, place: Place, secrets: Secrets = Secrets()) -> list[Finding]:  # noqa: B008
    return list(verifying.verify(place, partial(open_place, url), secrets=secrets))


def rows(views: Views, stream: str | None = None) -> Rows:
    """Give every row of the views, or of one stream, as the database has it."""
    found = {}
    with views.transaction() as connection:
        for table, row_type in ROW_TYPES.items():
            sql = f"SELECT {', '.join(row_type._fields)} FROM {table}"  # noqa: S608
            got = (
                connection.run(f"{sql} WHERE stream = :stream", stream=stream)
                if stream
                else connection.run(sql)
            )
            found[table] = sorted(map(plain, got), key=repr)
    return found


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row)


def days(lines: Sequence[bytes], count: int, first: int = 0) -> Iterator[list[bytes]]:
    """Repeat the example day for as many organizations."""
    for number in range(first, first + count):
        yield [line.replace(HOME, b"org-%d" % number) for line in lines]


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait until a condition holds, and give what it gave."""
    deadline = monotonic() + seconds
    while not (found := condition()):
        assert monotonic() < deadline, "it has not come true in time"
        sleep(0.005)
    return found


@contextmanager
def worker(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a work of `workers.py` in a process of its own, and kill it in the end."""
    program = [sys.executable, str(Path(__file__).with_name("workers.py")), *arguments]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
