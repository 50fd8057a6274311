"""The commands that ask: their options, their JSON and their tables derive from the questions."""

import sys
from itertools import chain, islice
from typing import TextIO

import click

from dixa_state import questions
from dixa_state.cli import tables
from dixa_state.cli.options import (
    NUMBER,
    Given,
    asked,
    opened_reader,
    options_of,
    with_json,
    with_store,
)
from dixa_state.cli.output import (
    FIRST_ROWS,
    print_body,
    print_json,
    print_one,
    print_rows,
    print_table,
    say_rest,
)
from dixa_state.questions.names import Organizations
from dixa_state.questions.naming import labelled


@click.command()
@options_of(questions.OneConversation, arguments=("csid",))
@with_store
@with_json
def status(given: Given, store: str | None, *, as_json: bool) -> None:
    """Print the state of one conversation, now or at a moment."""
    with opened_reader(store, project=False) as reader:
        state = reader.ask(asked(questions.OneConversation, given))
    print_one(state, tables.status_fields(state), as_json=as_json)


@click.command("list")
@options_of(questions.Conversations, hidden=("csid",))
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N.")
@with_store
@with_json
def list_command(given: Given, store: str | None, *, limit: int | None, as_json: bool) -> None:
    """List conversations that fit, as they are or as of a moment.

    An option given several times means one of its values. A list as of a moment is sorted by
    creation. On a terminal, the first 50 and the number of the others.
    """
    with opened_reader(store) as reader:
        question = asked(questions.Conversations, given)
        found = islice(reader.every(question), limit)
        organizations, now = Organizations(reader), reader.now()
        several = organizations.are_several

        def row(state: questions.Conversation) -> tables.Row:
            owner = organizations.name(state.organization_id, state.position) if several else None
            return tables.list_row(state, question.sort, now, owner)

        columns = tables.list_columns(question.sort, several=several)
        most = FIRST_ROWS if limit is None and sys.stdout.isatty() and not as_json else None
        print_rows(columns, row, islice(found, most), as_json=as_json)
        say_rest(found)


@click.command()
@options_of(questions.Timeline, arguments=("csid",))
@with_store
@with_json
def timeline(given: Given, store: str | None, *, as_json: bool) -> None:
    """List every event of one conversation, with what it changed."""
    with opened_reader(store, project=False) as reader:
        steps = reader.every(asked(questions.Timeline, given))
        print_rows(tables.TIMELINE, tables.timeline_row, steps, as_json=as_json)


@click.command()
@options_of(questions.StoredEvents, optional=("csid",))
@click.option("--position", type=NUMBER, metavar="N", help="The one event at a store position.")
@click.option("--raw", is_flag=True, help="Its body alone, byte for byte; with --position.")
@with_store
@with_json
def events(
    given: Given, store: str | None, *, position: int | None, raw: bool, as_json: bool
) -> None:
    """List the stored webhooks of a conversation, or print one.

    The verdict says whether one of the secrets in DIXA_STATE_WEBHOOK_SECRETS signs the body:
    `valid`, `unsigned` (it came from a file), `unchecked` (no secret is set), or what is wrong.
    """
    if ("csid" in given) == (position is not None) or (raw and position is None):
        raise click.UsageError("expected a CSID, or --position N, which may have --raw")
    with opened_reader(store, project=False, judging=True) as reader:
        if position is None:
            found = reader.every(asked(questions.StoredEvents, given))
            print_rows(tables.EVENTS, tables.event_row, found, as_json=as_json)
            return
        one = reader.ask(asked(questions.OneStoredEvent, given | {"position": position}))
    if raw:
        sys.stdout.buffer.write(one.body.encode())
    else:
        print_body(one, as_json=as_json)


@click.command()
@options_of(questions.Why, arguments=("csid", "field"))
@with_store
@with_json
def why(given: Given, store: str | None, *, as_json: bool) -> None:
    """Print the event behind a field of a conversation.

    FIELD is one of `status --json`, or a part of one: status, assignee, times.first_closed_at,
    custom_attributes.NAME, tags.NAME.
    """
    with opened_reader(store, project=False, judging=True) as reader:
        cause = reader.ask(asked(questions.Why, given))
    print_one(cause, tables.cause_fields(labelled(cause)), as_json=as_json)


@click.command()
@options_of(questions.ConversationTransitions, optional=("csid",))
@click.option("--missed", is_flag=True, help="What proves a lost webhook instead.")
@with_store
@with_json
def audit(given: Given, store: str | None, *, missed: bool, as_json: bool) -> None:
    """List lifecycle transitions and their evidence.

    Where Dixa does not say who did it, the agent who had the conversation then is in brackets.

    As of a moment, or as known at one, only of one conversation. With --missed, list everything
    that proves a lost webhook: the window in which it was lost, and the event that is the evidence.
    """
    if missed:
        if given.keys() - questions.Missed.model_fields.keys():
            raise click.UsageError("--missed: expected only --since, --until and --org beside it")
        with opened_reader(store) as reader:
            losses = reader.every(asked(questions.Missed, given))
            print_rows(tables.MISSED, tables.missed_row, losses, as_json=as_json)
        return
    if "csid" in given:
        one = asked(questions.ConversationTransitions, given)
        with opened_reader(store, project=False) as reader:
            print_rows(tables.AUDIT, tables.audit_row, reader.every(one), as_json=as_json)
        return
    if given.keys() & {"as_of", "known_at"}:
        raise click.UsageError("--as-of and --known-at: expected a CSID with them")
    with opened_reader(store) as reader:
        found = reader.every(asked(questions.Transitions, given))
        print_rows(tables.AUDIT_OF_ALL, tables.audit_of_all_row, found, as_json=as_json)


@click.command()
@options_of(questions.Attainment, hidden=("csid",))
@click.option("--attainment", is_flag=True, help="The shares kept instead of the evaluations.")
@with_store
@with_json
def sla(given: Given, store: str | None, *, attainment: bool, as_json: bool) -> None:
    """List SLA evaluations, or the shares of them that were kept.

    Attainment is achieved / (achieved + breached). Each count is that of the list with the same
    value: `--attainment --by queue` counts what `--queue NAME --status STATUS` lists.
    """
    for name in given.keys() & {"by", "compare", "as_of", "known_at"}:
        if not attainment:
            raise click.UsageError(f"--{name.replace('_', '-')}: expected --attainment with it")
    with opened_reader(store) as reader:
        if attainment:
            shares = reader.ask(asked(questions.Attainment, given)).items
            width = None if "compare" in given else -1
            print_rows(
                tables.ATTAINMENT[:width],
                lambda share: tables.attainment_row(share)[:width],
                shares,
                as_json=as_json,
            )
        else:
            found = reader.every(asked(questions.SlaEvaluations, given))
            print_rows(tables.SLA, tables.sla_row, found, as_json=as_json)


@click.command()
@options_of(questions.Stats, hidden=("business_hours",))
@click.option("--daily", is_flag=True, help="Transitions by day (UTC) instead.")
@click.option(
    "--business-hours",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="TOML with the hours of each day; durations leave out the others.",
)
@with_store
@with_json
def stats(
    given: Given,
    store: str | None,
    *,
    daily: bool,
    business_hours: TextIO | None,
    as_json: bool,
) -> None:
    """Count conversations, and measure durations and shares.

    Days and weeks begin at midnight of the time zone. Each measure has the date that puts a sample
    into the period. In brackets: how many were left out because only an upper bound of them is
    known.
    """
    if business_hours:
        given["business_hours"] = business_hours.read()
    if daily and given.keys() - questions.Daily.model_fields.keys():
        raise click.UsageError("--daily: expected no option but --org and --json beside it")
    with opened_reader(store) as reader:
        if daily:
            days = reader.ask(asked(questions.Daily, given)).items
            print_rows(tables.DAYS, tables.day_row, days, as_json=as_json)
            return
        found = reader.ask(asked(questions.Stats, given))
    print_one(found, tables.stats_fields(found), as_json=as_json)
    if not as_json:
        print_table(*tables.measures(found))


@click.command()
@options_of(questions.Bans)
@with_store
@with_json
def bans(given: Given, store: str | None, *, as_json: bool) -> None:
    """List the end users and IP addresses that are banned now.

    With --history also those that no longer are, and how each ban began and ended.
    """
    history = "history" in given
    with opened_reader(store) as reader:
        found = list(reader.every(asked(questions.Bans, given)))
    if as_json:
        for ban in found:
            print_json(ban, exclude=None if history else {"history"})
    else:
        changes = chain.from_iterable(map(tables.ban_history, found))
        print_table(tables.BANS, changes if history else map(tables.ban_row, found))
