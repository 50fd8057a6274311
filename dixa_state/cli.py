"""The command line: data to stdout, progress and messages to stderr.

Exit codes: 0 done, 1 a failure named in one line, 2 wrong usage, 3 not found.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, NoReturn

import click
from pydantic import ValidationError
from rich.progress import Progress

from dixa_state import documents, presentation
from dixa_state.bootstrap import dialect, open_tracker
from dixa_state.dixa.streams import read_csid
from dixa_state.domain.lifecycle import STATUSES, Transition
from dixa_state.domain.timestamps import format_time, parse_time
from dixa_state.errors import AmbiguousError, DixaStateError, InvalidInputError, NotFoundError
from dixa_state.ingest import Report, ingest
from dixa_state.settings import Settings
from dixa_state.sources import Source
from dixa_state.sql.statements import schema as schema_of
from dixa_state.terminal import (
    plain,
    print_fields,
    print_json,
    print_table,
    progress_bar,
    say,
)
from dixa_state.tracker import ConversationTracker

FAILED, WRONG_USAGE, NOT_FOUND, INTERRUPTED = 1, 2, 3, 130
Command = Callable[..., Any]


def main() -> NoReturn:
    """Run the command line; every failure that we foresee becomes one line and an exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    try:
        code = commands.main(arguments, prog_name="dixa-state", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        return WRONG_USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return FAILED
    except DixaStateError as error:
        say(f"dixa-state: {error}")
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def _exit_code(error: DixaStateError) -> int:
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    return WRONG_USAGE if isinstance(error, AmbiguousError) else FAILED


class TimeType(click.ParamType[datetime]):
    """A moment: RFC 3339, or a date for its midnight in UTC."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read the moment."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_time(value)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)


class NumberType(click.ParamType[int]):
    """The number of a conversation, or of a body in quarantine."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number."""
        try:
            return read_csid(value)
        except InvalidInputError as error:
            self.fail(str(error).removeprefix("csid: "), param, ctx)


_TIME = TimeType()
_NUMBER = NumberType()


def _with_store(command: Command) -> Command:
    option = click.option(
        "--store", metavar="URL", help="Where events are kept.  [env: DIXA_STATE_STORE]"
    )
    return option(command)


def _with_json(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _with_moment(command: Command) -> Command:
    known = click.option(
        "--known-at", type=_TIME, metavar="T", help="By what had been received until then."
    )
    as_of = click.option("--as-of", type=_TIME, metavar="T", help="As it was at that time.")
    return as_of(known(command))


def _with_organization(command: Command) -> Command:
    return click.option("--org", "organization", metavar="ID", help="Whose, if several have one.")(
        command
    )


@contextmanager
def _opened(store: str | None, *, create: bool = False) -> Iterator[ConversationTracker]:
    settings = _settings()
    with open_tracker(store or settings.store, create=create, grace=settings.grace) as tracker:
        yield tracker


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors()[0]
        name = f"DIXA_STATE_{wrong['loc'][0]}".upper()
        raise click.UsageError(f"{name}: {wrong['msg']}, got {wrong['input']!r}") from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dixa-state", prog_name="dixa-state")
def commands() -> None:
    """Keep every Dixa webhook, and tell the state of any conversation at any moment."""


@commands.command("ingest")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…|-")
@_with_store
@_with_json
def ingest_command(paths: tuple[str, ...], store: str | None, *, as_json: bool) -> int:
    """Read webhook bodies from files, or from standard input.

    JSON Lines, a JSON array, or single JSON bodies; .gz and .zst too. What cannot become an event
    is set aside in quarantine, and the rest goes on. To ingest a file twice does no harm.
    """
    sources = [Source(path, sys.stdin.buffer) if path == "-" else Source(path) for path in paths]
    started = monotonic()
    with _opened(store, create=True) as tracker, _ingest_progress(sources) as progress:
        report = ingest(tracker, sources, progress=progress)
    _print_report(report, monotonic() - started, as_json=as_json)
    return FAILED if report.failures else 0


@contextmanager
def _ingest_progress(sources: list[Source]) -> Iterator[Callable[[Source, int], None]]:
    sizes = [source.size for source in sources]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    started = monotonic()
    with progress_bar("Ingesting", total) as bar:
        yield partial(_advance, bar, sources, started)


def _advance(
    bar: Progress, sources: list[Source], started: float, _source: Source, kept: int
) -> None:
    task = bar.tasks[0]
    events = task.fields["events"] + kept
    rate = events / max(monotonic() - started, 1e-9)
    consumed = sum(source.consumed for source in sources)
    bar.update(task.id, completed=consumed, events=events, rate=rate)


def _print_report(report: Report, seconds: float, *, as_json: bool) -> None:
    counts = {
        "read": report.read,
        "appended": report.appended,
        "duplicates": report.duplicates,
        "quarantined": report.quarantined,
        "seconds": round(seconds, 3),
    }
    if as_json:
        print_json(counts)
    else:
        print_fields((name, f"{count:,}") for name, count in counts.items())
    for item in report.set_aside:
        say(f"quarantined {item.quarantine_id}: {item.origin}: {item.reason}")
    if report.quarantined > len(report.set_aside):
        say(f"… and {report.quarantined - len(report.set_aside):,} more")
    if report.quarantined:
        say("see them with `dixa-state quarantine list`, one with `quarantine show ID`")
    for failure in report.failures:
        say(f"dixa-state: {failure}")


@commands.command()
@click.argument("csid", type=_NUMBER)
@_with_moment
@_with_organization
@_with_store
@_with_json
def status(  # noqa: PLR0913 — one parameter per option
    csid: int,
    as_of: datetime | None,
    known_at: datetime | None,
    organization: str | None,
    store: str | None,
    *,
    as_json: bool,
) -> None:
    """Tell the state of one conversation, now or at a moment."""
    with _opened(store) as tracker:
        state = tracker.conversation(
            csid, organization=organization, as_of=as_of, known_at=known_at
        )
    document = documents.status_document(
        state, now=datetime.now(UTC), as_of=as_of, known_at=known_at
    )
    if as_json:
        print_json(document)
    else:
        print_fields(presentation.status_fields(document))


@commands.command()
@click.argument("csid", type=_NUMBER)
@_with_organization
@_with_store
@_with_json
def timeline(csid: int, organization: str | None, store: str | None, *, as_json: bool) -> None:
    """Tell every event of one conversation, with what it changed."""
    with _opened(store) as tracker:
        steps = [
            documents.step_document(step)
            for step in tracker.timeline(csid, organization=organization)
        ]
    if as_json:
        for step in steps:
            print_json(step)
    else:
        print_table(presentation.TIMELINE, map(presentation.timeline_row, steps))


@commands.command()
@click.argument("csid", type=_NUMBER)
@click.option("--from", "before", type=click.Choice(STATUSES), help="Only moves from this status.")
@click.option("--to", "after", type=click.Choice(STATUSES), help="Only moves to this status.")
@click.option("--since", type=_TIME, metavar="T", help="Only moves at or after this time.")
@click.option("--until", type=_TIME, metavar="T", help="Only moves before this time.")
@click.option("--irregular", is_flag=True, help="Only moves that the lifecycle does not foresee.")
@click.option("--inferred", is_flag=True, help="Only moves that no webhook told of.")
@click.option("--late", is_flag=True, help="Only moves whose webhook came late.")
@_with_moment
@_with_organization
@_with_store
@_with_json
def audit(  # noqa: PLR0913 — one parameter per option
    csid: int,
    as_of: datetime | None,
    known_at: datetime | None,
    organization: str | None,
    store: str | None,
    *,
    as_json: bool,
    **filters: Any,
) -> None:
    """Tell the lifecycle transitions of one conversation, and on what evidence."""
    if filters["since"] and filters["until"] and filters["since"] > filters["until"]:
        raise click.UsageError(
            f"--since: expected a time before --until, got {format_time(filters['since'])} "
            f"and {format_time(filters['until'])}"
        )
    with _opened(store) as tracker:
        state = tracker.conversation(
            csid, organization=organization, as_of=as_of, known_at=known_at
        )
    moves = [move for move in state.life.transitions if _selected(move, **filters)]
    rows = [documents.transition_document(state, move) for move in moves]
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(presentation.AUDIT, map(presentation.audit_row, rows))


def _selected(  # noqa: PLR0913 — one parameter per option
    move: Transition,
    *,
    before: str | None,
    after: str | None,
    since: datetime | None,
    until: datetime | None,
    irregular: bool,
    inferred: bool,
    late: bool,
) -> bool:
    return (
        (before is None or move.before == before)
        and (after is None or move.after == after)
        and (since is None or move.at >= since)
        and (until is None or move.at < until)
        and (not irregular or move.irregular is not None)
        and (not inferred or move.inferred)
        and (not late or move.late)
    )


@commands.command()
@click.option("--history", is_flag=True, help="Also tell how each ban came and went.")
@_with_store
@_with_json
def bans(store: str | None, *, history: bool, as_json: bool) -> None:
    """List every end user and IP address that was ever banned, and whether they still are."""
    with _opened(store) as tracker:
        rows = [documents.ban_document(ban) for ban in tracker.bans()]
    if as_json:
        for row in rows:
            shown = row if history else {k: v for k, v in row.items() if k != "history"}
            print_json(shown)
    elif history:
        lines = (presentation.ban_row(row, change) for row in rows for change in row["history"])
        print_table(presentation.BANS, lines)
    else:
        print_table(presentation.BANS, (presentation.ban_row(row, row) for row in rows))


@commands.group()
def quarantine() -> None:
    """See and settle what could not become an event."""


@quarantine.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that were settled.")
@_with_store
@_with_json
def quarantine_list(store: str | None, *, everything: bool, as_json: bool) -> None:
    """List the bodies in quarantine, each with the reason."""
    with _opened(store) as tracker:
        items = tracker.quarantined(resolved=everything)
    rows = [documents.quarantined_document(item) for item in items]
    if as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(presentation.QUARANTINE, map(presentation.quarantine_row, rows))


@quarantine.command("show")
@click.argument("quarantine_id", metavar="ID", type=_NUMBER)
@_with_store
@_with_json
def quarantine_show(quarantine_id: int, store: str | None, *, as_json: bool) -> None:
    """Show one body in quarantine, with all that is known of it."""
    with _opened(store) as tracker:
        items = tracker.quarantined([quarantine_id], resolved=True)
    if not items:
        raise NotFoundError(f"quarantine: expected the number of a body in it, got {quarantine_id}")
    document = documents.quarantined_document(items[0], body=True)
    if as_json:
        print_json(document)
        return
    body = document.pop("body")
    print_fields(document.items())
    click.echo()
    click.echo("\n".join(plain(line) for line in body.splitlines()))


@quarantine.command("retry")
@click.argument("ids", metavar="[ID…]", type=_NUMBER, nargs=-1)
@_with_store
@_with_json
def quarantine_retry(ids: tuple[int, ...], store: str | None, *, as_json: bool) -> None:
    """Try again to make events of bodies in quarantine: all of them, or these."""
    with _opened(store) as tracker:
        known = {item.id for item in tracker.quarantined(ids or None)}
        missing = sorted(set(ids) - known)
        if missing:
            raise NotFoundError(f"quarantine: expected numbers of bodies in it, got {missing}")
        outcomes = tracker.retry_quarantined(sorted(known))
    for number, outcome in zip(sorted(known), outcomes, strict=True):
        if as_json:
            print_json({"id": number, **documents.outcome_document(outcome)})
        else:
            click.echo(plain(f"{number}: {outcome.kind}: {outcome.reason or outcome.event_id}"))


@quarantine.command("discard")
@click.argument("quarantine_id", metavar="ID", type=_NUMBER)
@_with_store
def quarantine_discard(quarantine_id: int, store: str | None) -> None:
    """Settle that a body is not wanted; it is listed no more, but kept."""
    with _opened(store) as tracker:
        tracker.discard_quarantined(quarantine_id)
    say(f"discarded {quarantine_id}; `dixa-state quarantine list --all` still shows it")


@commands.command()
@click.option("--apply", "apply", is_flag=True, help="Make it in the store instead.")
@_with_store
def schema(store: str | None, *, apply: bool) -> None:
    """Show the store's schema as SQL, or apply it."""
    if apply:
        with _opened(store, create=True):
            say("the schema is in place")
    else:
        click.echo(schema_of(dialect(store or _settings().store)), nl=False)
