"""From files to the store: batches of bodies, each with its outcome, to the end whatever comes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from msgspec import Struct

from dixa_state.dixa.body import UnreadableError, identify
from dixa_state.domain.timestamps import shorten
from dixa_state.errors import InvalidInputError
from dixa_state.files.sources import Body, Source
from dixa_state.store.append import Outcome, batches
from dixa_state.store.events import Webhook
from dixa_state.tracker import ConversationTracker


class SetAside(Struct, frozen=True):
    """A body that went to quarantine, and where it stood."""

    origin: str
    quarantine_id: int | None
    reason: str | None


class Report(Struct, frozen=True):
    """The counts of an ingest; `failures` are the files that could not be read to their end."""

    read: int
    appended: int
    duplicates: int
    quarantined: int
    set_aside: tuple[SetAside, ...]
    failures: tuple[str, ...]


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
    kinds: Counter[str] = Counter()
    set_aside: list[SetAside] = []
    failures: list[str] = []
    for source in sources:
        bodies = source if anyway else begun_with_webhooks(source)
        for batch in batches(until_broken(bodies, failures), lambda body: len(body.raw)):
            now = datetime.now(UTC)
            outcomes = tracker.append_many([Webhook(body.raw, now) for body in batch])
            kinds.update(outcome.kind for outcome in outcomes)
            room = SHOWN - len(set_aside)
            set_aside += _named(batch, outcomes)[:room]
            progress(len(batch))
    return Report(
        read=kinds.total(),
        appended=kinds["appended"],
        duplicates=kinds["duplicate"],
        quarantined=kinds["quarantined"],
        set_aside=tuple(set_aside),
        failures=tuple(failures),
    )


def _named(batch: list[Body], outcomes: list[Outcome]) -> list[SetAside]:
    return [
        SetAside(body.origin, outcome.quarantine_id, outcome.reason)
        for body, outcome in zip(batch, outcomes, strict=True)
        if outcome.kind == "quarantined"
    ]


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
