"""The event store's contract: what may go in, what comes of it, and the one append of all backends.

Every authentic body ends in exactly one of three places: appended as a new event, recognised as a
duplicate, or quarantined with its reason. A batch is one transaction under the store's write lock,
so positions are handed out, committed and seen in the same order and without a hole; a reader that
tails the store cannot miss an event, and a hole is a sign of tampering.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Literal, NamedTuple, TypeVar

from eventsourcing.persistence import ApplicationRecorder, Notification, StoredEvent
from msgspec import Struct
from msgspec.json import Encoder

from dixa_state.dixa.reading import Problem, UnreadableError, admit
from dixa_state.errors import InvalidInputError
from dixa_state.store.events import Webhook, decode_state, encode_state

T = TypeVar("T")

_write = Encoder().encode

MAX_BATCH_EVENTS = 1_000
MAX_BATCH_BYTES = 8 << 20
"""A batch is one transaction in memory; bounded in bytes too, since a body may be a megabyte."""


class Outcome(Struct, frozen=True):
    """What became of a webhook.

    `position` and `topic` are those of the event, also if it was stored before; `reason` says why a
    body was quarantined, under `quarantine_id`.
    """

    kind: Literal["appended", "duplicate", "quarantined"]
    event_id: str | None
    position: int | None = None
    reason: str | None = None
    quarantine_id: int | None = None
    topic: str | None = None


class Accepted(Struct, frozen=True):
    """A webhook that can become an event, with all that storing it takes."""

    webhook: Webhook
    event_id: str
    stream: str
    topic: str
    key: bytes
    digest: bytes


class Rejected(Struct, frozen=True):
    """A webhook that cannot become an event, and why."""

    webhook: Webhook
    problem: Problem | Literal["conflict"]
    reason: str
    event_id: str | None


class Known(NamedTuple):
    """What the store remembers of an event: a digest of its body, and where it is."""

    digest: bytes
    position: int


class Quarantined(Struct, frozen=True):
    """A body that could not become an event; `resolution` tells how that ended, if it has."""

    id: int
    webhook: Webhook
    problem: str
    reason: str
    event_id: str | None
    resolution: str | None
    resolved_at: datetime | None


Resolution = Literal["appended", "duplicate", "discarded"]


def prepare(webhook: Webhook) -> Accepted | Rejected:
    """Judge a webhook before any lock is taken.

    Raises `InvalidInputError` for a time of receipt without a zone.
    """
    webhook = _clean(webhook)
    try:
        admitted = admit(webhook.body)
    except UnreadableError as error:
        return Rejected(webhook, error.problem, str(error), error.event_id)
    return Accepted(
        webhook=webhook,
        event_id=admitted.event_id,
        stream=admitted.stream,
        topic=admitted.topic,
        key=event_key(admitted.organization_id, admitted.event_id),
        digest=digest(webhook.body),
    )


def _clean(webhook: Webhook) -> Webhook:
    """Bring what came with a body into a form that can be stored, in whatever store."""
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
    """Replace what some database refuses: NUL, and halves of surrogate pairs."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def event_key(organization_id: str | None, event_id: str) -> bytes:
    """Give the key under which an event is known for ever: ids may be longer than an index takes.

    Sixteen bytes are enough: should two events ever share a key, the second has other content and
    is quarantined, not lost.
    """
    return digest(_write([organization_id, event_id]))


def digest(content: bytes) -> bytes:
    """Give sixteen bytes that stand for a content."""
    return blake2b(content, digest_size=16).digest()


class Writer(ABC):
    """What an append does inside its transaction, under the store's write lock."""

    @abstractmethod
    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Known]:
        """Find which of these events are stored already."""

    @abstractmethod
    def heads(self, streams: Sequence[str]) -> Mapping[str, int]:
        """Give the last version of each of these streams that exists."""

    @abstractmethod
    def last_position(self) -> int:
        """Give the last position that was handed out, 0 in an empty store; none is ever reused."""

    @abstractmethod
    def state_at(self, position: int) -> bytes | None:
        """Give the state of the event at a position; None if it has been erased."""

    @abstractmethod
    def insert(self, events: Sequence[Notification]) -> None:
        """Store events at the positions that they carry."""

    @abstractmethod
    def remember(self, entries: Mapping[bytes, Known]) -> None:
        """Enter events into the memory that recognises duplicates."""

    @abstractmethod
    def set_aside(self, rejected: Rejected) -> int:
        """Quarantine a body, once; give its number."""


class EventRecorder(ApplicationRecorder, ABC):
    """An event store: the library's recorder, with append, streams and quarantine."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Writer]:
        """Open a transaction under the write lock; it commits unless an exception leaves it."""

    @abstractmethod
    def select_stream(self, stream: str) -> Sequence[Notification]:
        """Read a stream in order of arrival, each event with its position."""

    @abstractmethod
    def next_stream(self, name: str) -> str | None:
        """Name the first stream that sorts at or after a name: a jump in the index, not a scan."""

    @abstractmethod
    def stream_at(self, position: int) -> str | None:
        """Name the stream of the event at a position."""

    @abstractmethod
    def select_range(self, low: str, high: str, position: int) -> Sequence[Notification]:
        """Read the streams named from `low` to before `high`, one by one, up to a position."""

    @abstractmethod
    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Known]:
        """Find what recognises these events as duplicates."""

    @abstractmethod
    def census(self) -> tuple[int, int]:
        """Count the events, and those that would be recognised as duplicates."""

    @abstractmethod
    def select_quarantined(
        self, *, ids: Sequence[int] | None = None, resolved: bool = False
    ) -> Sequence[Quarantined]:
        """List what is in quarantine, and on demand also what was."""

    @abstractmethod
    def resolve(self, quarantine_id: int, resolution: Resolution, at: datetime) -> None:
        """Enter how the case of a quarantined body ended; the body stays for ever."""

    @abstractmethod
    def close(self) -> None:
        """Give back all connections."""

    def select_streams(self, prefix: str) -> Iterator[str]:
        """Name the streams that begin with a prefix, in order."""
        stream = self.next_stream(prefix)
        while stream is not None and stream.startswith(prefix):
            yield stream
            stream = self.next_stream(f"{stream} ")  # no name holds a space, all sort after it

    def append(self, prepared: Sequence[Accepted | Rejected]) -> list[Outcome]:
        """Append webhooks, each with its own outcome, in order; a batch is one transaction.

        More than a batch may hold, in events or in bytes, takes several. Raises
        `StoreUnavailableError` if the store fails; trying again is always safe.
        """
        outcomes: list[Outcome] = []
        for batch in batches(prepared, lambda item: len(item.webhook.body)):
            with self.writing() as writer:
                outcomes += _append(writer, batch)
        return outcomes

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Store events as they are: the library's own way in, with versions already assigned."""
        with self.writing() as writer:
            first = writer.last_position() + 1
            events = [_placed(event, first + n) for n, event in enumerate(stored_events)]
            writer.insert(events)
            return [event.id for event in events]


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


def _append(writer: Writer, prepared: Sequence[Accepted | Rejected]) -> list[Outcome]:
    accepted = [item for item in prepared if isinstance(item, Accepted)]
    known = dict(writer.known([item.key for item in accepted]))
    heads = dict(writer.heads(sorted({item.stream for item in accepted})))
    position = writer.last_position()
    fresh: dict[bytes, Known] = {}
    events: list[Notification] = []
    bodies: dict[int, bytes] = {}
    outcomes: list[Outcome] = []
    for item in prepared:
        if isinstance(item, Rejected):
            outcomes.append(_set_aside(writer, item))
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
            outcomes.append(_set_aside(writer, _conflict(item, before.position)))
    writer.insert(events)
    writer.remember(fresh)
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


def _set_aside(writer: Writer, rejected: Rejected) -> Outcome:
    number = writer.set_aside(rejected)
    return Outcome("quarantined", rejected.event_id, None, rejected.reason, number)


def _placed(event: StoredEvent, position: int) -> Notification:
    return Notification(
        originator_id=event.originator_id,
        originator_version=event.originator_version,
        topic=event.topic,
        state=event.state,
        id=position,
    )
