"""Commands about what is kept: ingest, quarantine, schema."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import get_args

import click

from dixa_state.bootstrap import dialect, open_views
from dixa_state.cli import tables
from dixa_state.cli.options import NUMBER, opened, read_settings, with_json, with_store
from dixa_state.cli.output import (
    plain,
    print_body,
    print_json,
    print_one,
    print_rows,
    progress_bar,
    say,
)
from dixa_state.dixa.body import Problem
from dixa_state.errors import NotFoundError
from dixa_state.files.ingest import Report, ingest
from dixa_state.files.sources import Source
from dixa_state.questions.quarantine import describe_body, describe_outcome, describe_quarantined
from dixa_state.store.recorder import NO_LIMIT
from dixa_state.store.sql import roles as roles_of_postgres
from dixa_state.store.sql import schema as schema_of

FAILED = 1
PROBLEMS = (*get_args(Problem), "conflict")


with_anyway = click.option("--anyway", is_flag=True, help="Also files that begin without webhooks.")


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…|-")
@with_anyway
@with_store
@with_json
def ingest_command(
    paths: tuple[str, ...], store: str | None, *, anyway: bool, as_json: bool
) -> int:
    """Read webhook bodies from files, or from standard input.

    JSON Lines, a JSON array, JSON bodies over several lines, or Dixa's delivery logs; .gz and .zst
    too. What cannot become an event is set aside in quarantine, and the rest goes on. A file
    without a webhook among its first 20 bodies is refused. To ingest a file twice does no harm.
    """
    sources = read_sources(paths)
    started = monotonic()
    with (
        opened(store, create=True) as tracker,
        reading_progress("Ingesting", sources) as advance,
    ):
        report = ingest(tracker, sources, anyway=anyway, progress=advance)
    _print_report(report, monotonic() - started, as_json=as_json)
    return FAILED if report.failures else 0


def read_sources(paths: Iterable[str]) -> list[Source]:
    """Return where bodies are read from; `-` is standard input."""
    return [Source(path, sys.stdin.buffer) if path == "-" else Source(path) for path in paths]


@contextmanager
def reading_progress(
    description: str, sources: Sequence[Source]
) -> Iterator[Callable[[int], None]]:
    """Show how much of the sources has been read, and yield what counts more bodies."""
    sizes = [source.size for source in sources]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    done = 0
    with progress_bar(description, total) as move:

        def advance(more: int) -> None:
            nonlocal done
            done += more
            move(sum(source.consumed for source in sources), done)

        yield advance


def _print_report(report: Report, seconds: float, *, as_json: bool) -> None:
    read, quarantined = report.counts.total(), report.counts["quarantined"]
    failed = not read and report.failures  # then a table of zeros says nothing
    counts = {
        "read": read,
        "appended": report.counts["appended"],
        "duplicates": report.counts["duplicate"],
        "quarantined": quarantined,
        "seconds": round(seconds, 3),
    }
    if as_json or not failed:
        print_one(counts, tables.count_fields(counts), as_json=as_json)
    for origin, outcome in report.set_aside:
        say(f"quarantined {outcome.quarantine_id}: {origin}: {outcome.reason}")
    if quarantined > len(report.set_aside):
        say(f"… and {quarantined - len(report.set_aside):,} more")
    if quarantined:
        say("see them with `dixa-state quarantine list`, one with `quarantine show ID`")
    for failure in report.failures:
        say(f"dixa-state: {failure}")


@click.group()
def quarantine() -> None:
    """See and settle what could not become an event."""


@quarantine.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were settled.")
@click.option(
    "--limit", type=click.IntRange(1), default=NO_LIMIT, metavar="N", help="Only the first N."
)
@with_store
@with_json
def quarantine_list(store: str | None, *, everything: bool, limit: int, as_json: bool) -> None:
    """List the bodies in quarantine, each with the reason."""
    with opened(store) as tracker:
        items = tracker.quarantined(resolved=everything, limit=limit)
    rows = map(describe_quarantined, items)
    print_rows(tables.QUARANTINE, tables.quarantine_row, rows, as_json=as_json)


@quarantine.command("show")
@click.argument("quarantine_id", metavar="ID", type=NUMBER)
@with_store
@with_json
def quarantine_show(quarantine_id: int, store: str | None, *, as_json: bool) -> None:
    """Show one body in quarantine, with all that is known of it."""
    with opened(store) as tracker:
        items = tracker.quarantined([quarantine_id], resolved=True)
    if not items:
        raise NotFoundError(f"quarantine: expected the number of a body in it, got {quarantine_id}")
    print_body(describe_body(items[0]), as_json=as_json)


@quarantine.command("retry")
@click.argument("ids", metavar="[ID…]", type=NUMBER, nargs=-1)
@with_store
@with_json
def quarantine_retry(ids: tuple[int, ...], store: str | None, *, as_json: bool) -> None:
    """Try again to make events of bodies in quarantine: all of them, or these."""
    with opened(store) as tracker:
        known = {item.id for item in tracker.quarantined(ids or None)}
        missing = sorted(set(ids) - known)
        if missing:
            raise NotFoundError(f"quarantine: expected numbers of bodies in it, got {missing}")
        outcomes = tracker.retry_quarantined(sorted(known))
    for number, outcome in zip(sorted(known), outcomes, strict=True):
        if as_json:
            print_json({"id": number, **dict(describe_outcome(outcome))})
        else:
            click.echo(plain(f"{number}: {outcome.kind}: {outcome.reason or outcome.event_id}"))


@quarantine.command("discard")
@click.argument("ids", metavar="[ID…]", type=NUMBER, nargs=-1)
@click.option("--reason", type=click.Choice(PROBLEMS), help="All that are there for this reason.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@with_store
def quarantine_discard(
    ids: tuple[int, ...], reason: str | None, store: str | None, *, everything: bool
) -> None:
    """Settle that bodies are not wanted; they are listed no more, but kept."""
    if sum(map(bool, (ids, reason, everything))) != 1:
        raise click.UsageError("expected numbers, or --reason, or --all")
    with opened(store) as tracker:
        waiting = tracker.quarantined() if not ids else ()
        chosen = ids or [item.id for item in waiting if everything or item.problem == reason]
        tracker.discard_quarantined(chosen)
    say(f"discarded {len(chosen):,}; `dixa-state quarantine list --all` still shows them")


@click.command()
@click.option("--apply", "apply", is_flag=True, help="Make it in the store instead.")
@click.option(
    "--roles", "roles", is_flag=True, help="Show the owner, writer and reader roles of PostgreSQL."
)
@with_store
def schema(store: str | None, *, apply: bool, roles: bool) -> None:
    """Show the store's schema as SQL, or apply it."""
    if apply and roles:
        raise click.UsageError("--roles: expected to be run by `psql`, got --apply beside it")
    if roles:
        click.echo(roles_of_postgres(), nl=False)
    elif apply:
        with opened(store, create=True) as tracker:
            open_views(tracker.event_recorder).close()
            say("the schema is in place")
    else:
        click.echo(schema_of(dialect(store or read_settings().store)), nl=False)
