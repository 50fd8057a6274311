"""From files to the store: batches of bodies, each with its outcome, to the end whatever comes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from dixa_state.dixa.body import UnreadableError, identify
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import InvalidInputError
from dixa_state.files.sources import Body, Source
from dixa_state.store.append import Outcome, batches
from dixa_state.store.events import Webhook
from dixa_state.tracker import ConversationTracker


class Report(NamedTuple):
    """The bodies of an ingest by their outcome, and where those stood that went to quarantine.

    `set_aside` are the first of these; `failures` the files that could not be read to their end.
    """

    counts: Counter[str]
    set_aside: list[tuple[str, Outcome]]
    failures: list[str]


SHOWN = 20
"""How many quarantined bodies a report names; the quarantine lists them all."""


def ingest(
    tracker: ConversationTracker,
    sources: Iterable[Source],
    *,
    anyway: bool = False,
    progress: Callable[[int], None] = lambda _more: None,
) -> Report:
    """Keep every body of every source; a file that breaks off does not stop the others.

    A file that does not begin with webhooks is refused, unless it is wanted `anyway`. `progress` is
    called after each batch with the number of bodies in it.
    Raises `StoreUnavailableError` if the store fails; what was kept before stays, and a second
    ingest of the same files goes on from there, since duplicates are recognised.
    """
    report = Report(Counter(), [], [])
    for source in sources:
        bodies = source if anyway else begun_with_webhooks(source)
        for batch in batches(until_broken(bodies, report.failures), lambda body: len(body.raw)):
            now = datetime.now(UTC)
            outcomes = tracker.append_many([Webhook(body.raw, now) for body in batch])
            for body, outcome in zip(batch, outcomes, strict=True):
                report.counts[outcome.kind] += 1
                if outcome.kind == "quarantined" and len(report.set_aside) < SHOWN:
                    report.set_aside.append((body.origin, outcome))
            progress(len(batch))
    return report


def begun_with_webhooks(source: Source) -> Iterator[Body]:
    """Yield the bodies of a source, if one of the first 20 is like a webhook.

    Raises `InvalidInputError` otherwise, before it yields any: a spreadsheet is no history.
    """
    bodies, first = iter(source), list[Body]()
    for body in islice(bodies, _JUDGED):
        first.append(body)
        if _is_like_a_webhook(body.raw):
            break
    else:
        if first:
            beginning = first[0].raw[:_SHOWN_BYTES].decode("utf-8", "replace")
            raise InvalidInputError(
                f"{source.path}: expected a webhook among the first {_JUDGED} bodies, got none, "
                f"the first one {shorten(beginning)!r}; --anyway puts them into quarantine"
            )
    yield from first
    yield from bodies


_JUDGED = 20
_SHOWN_BYTES = 200


def _is_like_a_webhook(raw: bytes) -> bool:
    try:
        identify(raw)
    except UnreadableError as error:
        return error.problem not in ("not_json", "not_an_object", "no_event_id")
    return True


def until_broken(source: Iterable[Body], failures: list[str]) -> Iterator[Body]:
    """Yield the bodies of a source; where it breaks off, add what is wrong to the failures."""
    try:
        yield from source
    except InvalidInputError as error:
        failures.append(str(error))
