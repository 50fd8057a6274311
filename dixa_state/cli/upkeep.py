"""Commands that rebuild the views, and that prove them."""

from contextlib import suppress
from functools import partial
from time import monotonic

import click

from dixa_state.bootstrap import open_place, open_views
from dixa_state.cli import tables
from dixa_state.cli.options import (
    opened,
    read_secrets,
    read_settings,
    rebuild,
    with_json,
    with_store,
)
from dixa_state.cli.output import print_json, print_one, print_table, progress_bar, say
from dixa_state.errors import StoreError
from dixa_state.views.verify import Finding, verify

FAILED = 1


@click.command("replay")
@with_store
@with_json
def replay_command(store: str | None, *, as_json: bool) -> None:
    """Rebuild every view beside the live ones, then switch.

    It reads the event store alone. The live views stay readable meanwhile, and whatever interrupts
    the replay leaves them alone.
    """
    started = monotonic()
    with opened(store) as tracker:
        shown = rebuild(tracker, open_views(tracker.event_recorder), store)
    seconds = max(monotonic() - started, 1e-9)
    document = {
        "generation": shown.generation,
        "position": shown.position,
        "seconds": round(seconds, 3),
        "events_per_second": round(shown.position / seconds),
    }
    print_one(document, tables.count_fields(document), as_json=as_json)


@click.command("verify")
@with_store
@with_json
def verify_command(store: str | None, *, as_json: bool) -> int:
    """Refold every stored event, and list what differs in the views.

    Also checks the store itself: positions and versions without holes, up to the last position
    that was assigned; an entry for each event that recognises it as a duplicate; quarantined
    bodies; that changes are refused; the file of SQLite; and, where secrets are set, that each
    stored signature is by one of them. Mends nothing, and writes only when it ran and how many
    differences it found, for `doctor` and others to see. Exit code 1 if anything is found.
    """
    settings, started = read_settings(), monotonic()
    worker = partial(open_place, store or settings.store, grace=settings.grace)
    with opened(store) as tracker:
        views = open_views(tracker.event_recorder)
        events, _ = tracker.event_recorder.count_events()
        with progress_bar("Verifying", events) as move:
            found = list(verify((tracker, views), worker, move, read_secrets(settings)))
        waiting = tracker.event_recorder.last_position() - views.progress().position
        with suppress(StoreError):  # those who may only read verify too
            views.set_verified(tracker.now(), len(found))
        views.close()
    if as_json:
        findings = [finding._asdict() for finding in found]
        print_json({"events": events, "behind": max(waiting, 0), "findings": findings})
    elif found:
        print_table(Finding._fields, found)
    spent = tables.span(monotonic() - started)
    compared = f"{events:,} events refolded and compared with the views, row by row, in {spent}"
    verdict = f"{len(found)} differences found" if found else "everything is as the events say"
    behind = f"; the views are {waiting:,} events behind" if waiting > 0 else ""
    say(f"{compared}: {verdict}{behind}")
    return FAILED if found else 0
