"""Commands about conversations: one of them, or all that fit."""

from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

import click

from dixa_state.cli import presentation
from dixa_state.cli.options import (
    NUMBER,
    TIME,
    opened,
    queried,
    with_as_of,
    with_json,
    with_known_at,
    with_organization,
    with_store,
)
from dixa_state.cli.output import print_fields, print_json, print_rows
from dixa_state.domain.lifecycle import STATUSES
from dixa_state.questions import (
    MAX_LIMIT,
    SLA_SUMMARIES,
    SORTS,
    Filters,
    TransitionFilters,
    documents,
    fitting_transitions,
)


@click.command()
@click.argument("csid", type=NUMBER)
@with_as_of
@with_known_at
@with_organization
@with_store
@with_json
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
    with opened(store) as tracker:
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


@click.command()
@click.argument("csid", type=NUMBER)
@with_organization
@with_store
@with_json
def timeline(csid: int, organization: str | None, store: str | None, *, as_json: bool) -> None:
    """Tell every event of one conversation, with what it changed."""
    with opened(store) as tracker:
        steps = [
            documents.step_document(step)
            for step in tracker.timeline(csid, organization=organization)
        ]
    print_rows(presentation.TIMELINE, presentation.timeline_row, steps, as_json)


@click.command()
@click.argument("csid", type=NUMBER, required=False)
@click.option("--from", "before", type=click.Choice(STATUSES), help="Only moves from this status.")
@click.option("--to", "after", type=click.Choice(STATUSES), help="Only moves to this status.")
@click.option("--since", type=TIME, metavar="T", help="Only moves at or after this time.")
@click.option("--until", type=TIME, metavar="T", help="Only moves before this time.")
@click.option("--irregular", is_flag=True, help="Only moves that the lifecycle does not foresee.")
@click.option("--inferred", is_flag=True, help="Only moves that no webhook told of.")
@click.option("--late", is_flag=True, help="Only moves whose webhook came late.")
@with_as_of
@with_known_at
@with_organization
@with_store
@with_json
def audit(  # noqa: PLR0913 — one parameter per option
    csid: int | None,
    as_of: datetime | None,
    known_at: datetime | None,
    organization: str | None,
    store: str | None,
    *,
    as_json: bool,
    **filters: Any,
) -> None:
    """Tell lifecycle transitions and their evidence, of one conversation or of all.

    As of a moment, or as known at one, only of one conversation.
    """
    if csid is None and (as_of or known_at):
        raise click.UsageError("--as-of and --known-at: expected a CSID with them")
    wanted = TransitionFilters(organization=organization, **filters)
    if csid is None:
        with queried(store) as queries:
            moves = queries.every(partial(queries.transitions, wanted, limit=MAX_LIMIT))
            rows = (documents.transition_document(*move) for move in moves)
            print_rows(presentation.AUDIT_OF_ALL, presentation.audit_of_all_row, rows, as_json)
        return
    with opened(store) as tracker:
        state = tracker.conversation(
            csid, organization=organization, as_of=as_of, known_at=known_at
        )
    rows = (documents.transition_document(*move) for move in fitting_transitions(state, wanted))
    print_rows(presentation.AUDIT, presentation.audit_row, rows, as_json)


@click.command("list")
@click.option("--status", multiple=True, type=click.Choice(STATUSES))
@click.option("--channel", multiple=True, metavar="NAME", help="Such as EMAIL or WIDGET_CHAT.")
@click.option("--direction", multiple=True, metavar="NAME", help="INBOUND or OUTBOUND.")
@click.option("--queue", multiple=True, metavar="ID|NAME|none")
@click.option("--assignee", multiple=True, metavar="ID|NAME|EMAIL|none")
@click.option("--requester", multiple=True, metavar="ID|EMAIL")
@click.option("--tag", multiple=True, metavar="NAME|none")
@click.option("--sla", multiple=True, type=click.Choice(SLA_SUMMARIES))
@click.option("--text", metavar="WORDS", help="Beginnings of words in subject or requester.")
@click.option("--created-since", type=TIME, metavar="T")
@click.option("--created-until", type=TIME, metavar="T")
@click.option("--updated-since", type=TIME, metavar="T", help="By the last event.")
@click.option("--updated-until", type=TIME, metavar="T")
@click.option("--irregular", is_flag=True, help="Only with an irregular transition.")
@click.option("--sort", default=SORTS[0], show_default=True, type=click.Choice(SORTS))
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N.")
@with_as_of
@with_organization
@with_store
@with_json
def list_command(  # noqa: PLR0913 — one parameter per option
    sort: str,
    limit: int | None,
    as_of: datetime | None,
    organization: str | None,
    store: str | None,
    *,
    as_json: bool,
    **filters: Any,
) -> None:
    """List conversations that fit, as they are or as of a moment.

    An option given several times means one of its values. A list as of a moment is sorted by
    creation.
    """
    wanted = Filters(organization=organization, **filters)
    with queried(store) as queries:
        ask = partial(queries.conversations, wanted, sort=sort, limit=MAX_LIMIT, as_of=as_of)
        states = islice(queries.every(ask), limit)
        now = datetime.now(UTC)
        rows = (documents.status_document(state, now=now, as_of=as_of) for state in states)
        print_rows(presentation.LIST, presentation.list_row, rows, as_json)
