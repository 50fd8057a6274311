"""Commands that look at all conversations at once: SLA, statistics, bans."""

from datetime import datetime
from functools import partial
from typing import Any

import click

from dixa_state.cli import presentation
from dixa_state.cli.options import TIME, queried, with_json, with_organization, with_store
from dixa_state.cli.output import print_fields, print_json, print_rows, print_table
from dixa_state.questions import (
    MAX_LIMIT,
    SLA_STATUSES,
    By,
    SlaFilters,
    TransitionFilters,
    documents,
)


@click.command()
@click.option("--status", multiple=True, type=click.Choice(SLA_STATUSES))
@click.option("--due-before", type=TIME, metavar="T", help="Only with a deadline before this time.")
@click.option("--queue", multiple=True, metavar="NAME|ID|none")
@click.option("--agent", multiple=True, metavar="NAME|ID|none")
@click.option("--channel", multiple=True, metavar="NAME|none")
@click.option("--tag", multiple=True, metavar="NAME|none")
@click.option("--attainment", is_flag=True, help="The shares kept instead of the evaluations.")
@click.option(
    "--by",
    type=click.Choice(["queue", "agent", "channel", "tag"]),
    metavar="WHAT",
    help="Break the shares down by queue, agent, channel or tag.",
)
@with_organization
@with_store
@with_json
def sla(  # noqa: PLR0913 — one parameter per option
    due_before: datetime | None,
    by: By | None,
    organization: str | None,
    store: str | None,
    *,
    attainment: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """List SLA evaluations, or the shares of them that were kept.

    Attainment is achieved / (achieved + breached). Each count is that of the list with the same
    value: `--attainment --by queue` counts what `--queue NAME --status STATUS` lists.
    """
    if by and not attainment:
        raise click.UsageError("--by: expected --attainment with it")
    wanted = SlaFilters(due_before=due_before, organization=organization, **filters)
    with queried(store) as queries:
        if attainment:
            shares = [
                documents.share_document(by, share) for share in queries.attainment(by, wanted)
            ]
            print_rows(presentation.SHARES, presentation.share_row, shares, as_json)
        else:
            found = queries.every(partial(queries.sla, wanted, limit=MAX_LIMIT))
            rows = (documents.sla_document(row) for row in found)
            print_rows(presentation.SLA, presentation.sla_row, rows, as_json)


@click.command()
@click.option("--daily", is_flag=True, help="Transitions by day (UTC) instead.")
@with_organization
@with_store
@with_json
def stats(organization: str | None, store: str | None, *, daily: bool, as_json: bool) -> None:
    """Count conversations and transitions; tell median and p90 times."""
    with queried(store) as queries:
        if daily:
            days = queries.daily(TransitionFilters(organization=organization))
            rows = map(documents.day_document, days)
            print_rows(presentation.DAYS, presentation.day_row, rows, as_json)
            return
        document = documents.stats_document(queries.stats(organization))
    if as_json:
        print_json(document)
        return
    print_fields(presentation.stats_fields(document))
    print_table(presentation.MEASURES, presentation.measure_rows(document))


@click.command()
@click.option("--history", is_flag=True, help="Also tell how each ban came and went.")
@with_store
@with_json
def bans(store: str | None, *, history: bool, as_json: bool) -> None:
    """List every end user and IP address that was ever banned, and whether they still are."""
    with queried(store) as queries:
        rows = [documents.ban_document(ban) for ban in queries.bans()]
    if as_json:
        for row in rows:
            shown = row if history else {k: v for k, v in row.items() if k != "history"}
            print_json(shown)
    elif history:
        lines = (presentation.ban_row(row, change) for row in rows for change in row["history"])
        print_table(presentation.BANS, lines)
    else:
        print_table(presentation.BANS, (presentation.ban_row(row, row) for row in rows))
