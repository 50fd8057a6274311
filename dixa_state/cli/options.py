"""What commands share: types of arguments, options, and how they open a store."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

import click
from pydantic import ValidationError
from rich.progress import Progress

from dixa_state.bootstrap import open_tracker, open_views
from dixa_state.cli.output import progress_bar, say
from dixa_state.dixa.streams import read_csid
from dixa_state.domain.timestamps import parse_time
from dixa_state.errors import InvalidInputError, StoreError
from dixa_state.questions import Queries
from dixa_state.questions.filters import require_past
from dixa_state.settings import Settings
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Progress as Reached
from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector
from dixa_state.views.replay import replay

Command = Callable[..., Any]

FAR_BEHIND = 20_000
"""Events behind which the views are rebuilt: on all cores, and each conversation folded once."""


class TimeType(click.ParamType[datetime]):
    """A moment: RFC 3339, or a date for its midnight in UTC."""

    name = "time"

    def __init__(self, *, past: bool = False) -> None:
        """Take any moment, or only one that is not to come."""
        self._past = past

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read the moment."""
        if isinstance(value, datetime):
            return value
        try:
            time = parse_time(value)
            if self._past:
                require_past(time, datetime.now(UTC))
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)
        return time


class NumberType(click.ParamType[int]):
    """The number of a conversation, or of a body in quarantine."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        try:
            return read_csid(value)
        except InvalidInputError as error:
            self.fail(str(error).removeprefix("csid: "), param, ctx)


TIME = TimeType()
NUMBER = NumberType()


PAST = TimeType(past=True)


def with_store(command: Command) -> Command:
    """Add `--store`."""
    option = click.option(
        "--store", metavar="URL", help="Where events are kept.  [env: DIXA_STATE_STORE]"
    )
    return option(command)


def with_json(command: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def with_as_of(command: Command) -> Command:
    """Add `--as-of`."""
    return click.option("--as-of", type=PAST, metavar="T", help="As it was at that time.")(command)


def with_known_at(command: Command) -> Command:
    """Add `--known-at`."""
    return click.option(
        "--known-at", type=PAST, metavar="T", help="By what had been received until then."
    )(command)


def with_organization(command: Command) -> Command:
    """Add `--org`."""
    return click.option("--org", "organization", metavar="ID", help="Whose, if several have one.")(
        command
    )


@contextmanager
def opened(store: str | None, *, create: bool = False) -> Iterator[ConversationTracker]:
    """Open the tracker that the settings and `--store` name."""
    settings = read_settings()
    with open_tracker(store or settings.store, create=create, grace=settings.grace) as tracker:
        yield tracker


@contextmanager
def viewed(store: str | None) -> Iterator[tuple[ConversationTracker, Views]]:
    """Open the tracker and its views, and bring these up to date if no projector is running."""
    with opened(store) as tracker:
        views = open_views(tracker.event_recorder)
        begun = views.progress().position
        total = tracker.event_recorder.max_notification_id() or 0
        if total - begun > FAR_BEHIND:
            with suppress(StoreError):  # another is at it, or an event that only can be skipped
                rebuild(tracker, views, store)
            begun = views.progress().position
        if total > begun:
            with counting("Projecting", total - begun) as advance:
                Projector(tracker, views).catch_up(lambda position: advance(position - begun))
        yield tracker, views


def rebuild(tracker: ConversationTracker, views: Views, store: str | None) -> Reached:
    """Rebuild all views, with a progress bar."""
    settings = read_settings()
    total = tracker.event_recorder.max_notification_id() or 0
    worker = partial(open_tracker, store or settings.store, create=False, grace=settings.grace)
    say(f"building the views of {total:,} events")
    with counting("Replaying", total) as advance:
        return replay(tracker, views, worker, advance)


@contextmanager
def queried(store: str | None) -> Iterator[Queries]:
    """Open the read service on views that are up to date."""
    with viewed(store) as (tracker, views):
        yield Queries(tracker, views)


@contextmanager
def counting(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar that counts events, and give what moves it to a number of them."""
    started = monotonic()
    with progress_bar(description, total) as bar:
        yield lambda done: move(bar, done, done, started)


def move(bar: Progress, completed: float, events: int, started: float) -> None:
    """Move a bar on."""
    rate = events / max(monotonic() - started, 1e-9)
    bar.update(bar.task_ids[0], completed=completed, events=events, rate=rate)


def read_settings() -> Settings:
    """Read the settings; a wrong one is wrong usage."""
    try:
        return Settings()
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f".env: expected text in UTF-8, got something else: {error}"
        ) from error
    except ValidationError as error:
        wrong = error.errors()[0]
        name = f"DIXA_STATE_{wrong['loc'][0]}".upper()
        raise click.UsageError(f"{name}: {wrong['msg']}, got {wrong['input']!r}") from error
