"""Appending webhooks: what may go in, what becomes of it, and the one algorithm of all backends.

Every authentic body ends in exactly one of three places: appended as a new event, recognised as a
duplicate, or quarantined with its reason. The new events of a batch are stored in one transaction
under the store's write lock, so positions are assigned, committed and seen in the same order and
without a hole: a reader that follows the store misses no event, and a hole is a sign of tampering.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Literal, NamedTuple, TypeVar

from eventsourcing.persistence import Notification
from msgspec import Struct
from msgspec.json import Encoder

from dixa_state.dixa.body import Problem, UnreadableError, identify
from dixa_state.errors import InvalidInputError
from dixa_state.store.events import Webhook, decode_state, encode_state

T = TypeVar("T")

_write = Encoder().encode

MAX_BATCH_EVENTS = 1_000
MAX_BATCH_BYTES = 8 << 20
"""A batch is one transaction in memory, bounded in bytes too: one body may be a megabyte."""


class Outcome(Struct, gc=False, frozen=True):
    """The result of appending one webhook.

    `position` and `topic` are those of the event, also if it was stored before; `reason` says why a
    body was quarantined, under `quarantine_id`.
    """

    kind: Literal["appended", "duplicate", "quarantined"]
    event_id: str | None
    position: int | None = None
    reason: str | None = None
    quarantine_id: int | None = None
    topic: str | None = None


class Accepted(Struct, gc=False, frozen=True):
    """A webhook that can become an event, with all that storing it takes."""

    webhook: Webhook
    event_id: str
    stream: str
    topic: str
    key: bytes
    digest: bytes


class Rejected(Struct, gc=False, frozen=True):
    """A webhook that cannot become an event, and why."""

    webhook: Webhook
    problem: Problem | Literal["conflict"]
    reason: str
    event_id: str | None


class Known(NamedTuple):
    """The entry that recognises a duplicate: a digest of the body, and the event's position."""

    digest: bytes
    position: int


def prepare(webhook: Webhook) -> Accepted | Rejected:
    """Judge a webhook before any lock is taken.

    Raises `InvalidInputError` for a time of receipt without a zone.
    """
    webhook = _clean(webhook)
    try:
        identity = identify(webhook.body)
    except UnreadableError as error:
        return Rejected(webhook, error.problem, str(error), error.event_id)
    return Accepted(
        webhook=webhook,
        event_id=identity.event_id,
        stream=identity.stream,
        topic=identity.topic,
        key=event_key(identity.organization_id, identity.event_id),
        digest=digest(webhook.body),
    )


def _clean(webhook: Webhook) -> Webhook:
    """Return the webhook in a form that every store can hold.

    Raises `InvalidInputError` for a time of receipt without a zone.
    """
    if webhook.received_at.tzinfo is None:
        raise InvalidInputError(
            f"received_at: expected a time with a zone, got {webhook.received_at.isoformat()}"
        )
    return Webhook(
        webhook.body,
        webhook.received_at.astimezone(UTC),
        storable(webhook.subscription_id),
        storable(webhook.signature),
    )


def storable(text: str | None) -> str | None:
    """Return a text that both databases accept: without NUL and lone surrogates."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def event_key(organization_id: str | None, event_id: str) -> bytes:
    """Return the key that recognises an event: a digest, since an id may exceed an index entry.

    Sixteen bytes are enough: should two events ever share a key, the second has other content and
    is quarantined, not lost.
    """
    return digest(_write([organization_id, event_id]))


def digest(content: bytes) -> bytes:
    """Return a digest of sixteen bytes."""
    return blake2b(content, digest_size=16).digest()


class Writer(ABC):
    """The statements of an append, inside its transaction and under the store's write lock."""

    @abstractmethod
    def look_up(
        self, keys: Sequence[bytes], streams: Sequence[str]
    ) -> tuple[dict[bytes, Known], dict[str, int]]:
        """Return the entries of the events that are stored already, and the streams' versions."""

    @abstractmethod
    def last_position(self) -> int:
        """Return the last position assigned, 0 in an empty store; none is ever reused."""

    @abstractmethod
    def state_at(self, position: int) -> bytes | None:
        """Return the state of the event at a position; None if it has been erased."""

    @abstractmethod
    def insert(self, events: Sequence[Notification], known: Mapping[bytes, Known]) -> None:
        """Insert events at the positions that they carry, and the entries that recognise them."""

    @abstractmethod
    def quarantine(self, rejected: Rejected) -> int:
        """Insert a body into quarantine, once; return its id."""


def batches(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Split into batches within the bounds; an item that is too large for any stands alone."""
    batch: list[T] = []
    total = 0
    for item in items:
        more = size(item)
        if batch and (len(batch) == MAX_BATCH_EVENTS or total + more > MAX_BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += more
    if batch:
        yield batch


def append_batch(writer: Writer, prepared: Sequence[Accepted | Rejected]) -> list[Outcome]:
    """Append a batch in the writer's transaction; return an outcome for each, in order."""
    accepted = [item for item in prepared if isinstance(item, Accepted)]
    streams = sorted({item.stream for item in accepted})
    known, heads = writer.look_up([item.key for item in accepted], streams)
    position = writer.last_position()
    fresh: dict[bytes, Known] = {}
    events: list[Notification] = []
    bodies: dict[int, bytes] = {}
    outcomes: list[Outcome] = []
    for item in prepared:
        if isinstance(item, Rejected):
            outcomes.append(_quarantine(writer, item))
        elif (before := fresh.get(item.key) or known.get(item.key)) is None:
            position += 1
            version = heads[item.stream] = heads.get(item.stream, 0) + 1
            state = encode_state(item.webhook)
            events.append(Notification(item.stream, version, item.topic, state, position))
            fresh[item.key] = Known(item.digest, position)
            bodies[position] = item.webhook.body
            outcomes.append(Outcome("appended", item.event_id, position, topic=item.topic))
        elif before.digest == item.digest or _same_content(writer, before, bodies, item):
            outcomes.append(Outcome("duplicate", item.event_id, before.position, topic=item.topic))
        else:
            outcomes.append(_quarantine(writer, _conflict(item, before.position)))
    if events:
        writer.insert(events, fresh)
    return outcomes


def _same_content(
    writer: Writer, before: Known, bodies: Mapping[int, bytes], accepted: Accepted
) -> bool:
    """Compare what two bodies of one event say; another subscription may have spaced it anew."""
    stored = bodies.get(before.position)
    if stored is None:
        state = writer.state_at(before.position)
        stored = decode_state(state).body if state is not None else None
    return stored is not None and _content(stored) == _content(accepted.webhook.body)


def _content(body: bytes) -> Any:
    """Parse JSON so that equal means the same: numbers by their digits, 1 is not true."""
    return json.loads(
        body,
        object_pairs_hook=lambda pairs: sorted(pairs, key=itemgetter(0)),
        parse_int=lambda digits: ("number", digits),
        parse_float=lambda digits: ("number", digits),
    )


def _conflict(accepted: Accepted, position: int) -> Rejected:
    return Rejected(
        accepted.webhook,
        "conflict",
        f"event_id: expected the content that is stored at position {position}, got other content",
        accepted.event_id,
    )


def _quarantine(writer: Writer, rejected: Rejected) -> Outcome:
    number = writer.quarantine(rejected)
    return Outcome("quarantined", rejected.event_id, None, rejected.reason, number)
