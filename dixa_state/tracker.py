"""ConversationTracker: the application that stores webhooks, reads them back and folds them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Protocol, TypeVar

from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, Notification, StoredEvent
from eventsourcing.utils import Environment, EnvType
from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from dixa_state.dixa.body import NOT_AS_DOCUMENTED, Body, documented_data, make_event, read_event
from dixa_state.dixa.conversation import decode_snapshot
from dixa_state.dixa.data import EventData
from dixa_state.dixa.signature import Secrets, Verdict, judge
from dixa_state.dixa.streams import conversation_stream
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import Event
from dixa_state.domain.evidence import GRACE
from dixa_state.domain.lifecycle import Transition
from dixa_state.domain.timestamps import format_time
from dixa_state.errors import AmbiguousError, InvalidInputError, NotFoundError
from dixa_state.fold import (
    FoldResult,
    Recent,
    State,
    Step,
    fold_further,
    fold_stream,
    fold_with_recent,
    timeline,
)
from dixa_state.store.append import Outcome, prepare
from dixa_state.store.events import Received, Webhook, decode_state
from dixa_state.store.quarantine import Quarantined
from dixa_state.store.recorder import NO_LIMIT, EventRecorder

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Asks(Protocol):
    """What a tracker must know of a reader: the read side is above it."""

    def refresh(self) -> None:
        """Update the views to the newest event, unless a projector is at work on them."""

    def ask(self, question: Any) -> Any:
        """Return the answer to a question."""

    def every(self, question: Any) -> Iterator[Any]:
        """Yield the items of all pages of an answer."""

    def close(self) -> None:
        """Close the connections that are not the event store's."""


class Answerable(Protocol[A_co]):
    """A question: anything that a reader can be asked."""

    def answer(self, reader: Any) -> A_co:
        """Return the answer."""


class Pageable(Protocol[A_co]):
    """A question whose answer comes in pages."""

    def every(self, reader: Any) -> Iterator[A_co]:
        """Yield the items of all pages."""


class WebhookMapper(Mapper[str]):
    """Read stored webhooks as events.

    Topics are names from the catalogue, not import paths: a class may move, a stored topic cannot.
    """

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """Read a stored event, in one pass where its body is spelled as documented."""
        topic, state = stored_event.topic, stored_event.state
        version = stored_event.originator_version
        position = stored_event.id if isinstance(stored_event, Notification) else 0
        if data := documented_data(topic):
            try:
                found = _decoder(data).decode(state)
                return make_event(
                    (found.body, decode_snapshot(found.body.data.conversation)),
                    topic=topic,
                    received_at=found.received_at,
                    version=version,
                    position=position,
                )
            except NOT_AS_DOCUMENTED:
                pass
        webhook = decode_state(state)
        return read_event(
            webhook.body,
            topic=topic,
            received_at=webhook.received_at,
            version=version,
            position=position,
        )


@cache
def _decoder(data: type[EventData]) -> Decoder[Received[Body[EventData]]]:
    return Decoder(Received[Body[data]])  # type: ignore[valid-type]


class StoredBody(Struct, gc=False, frozen=True):
    """A stored event: its place in the store, and the webhook byte for byte."""

    position: int
    stream: str
    version: int
    topic: str
    webhook: Webhook


def _stored_body(stored: Notification) -> StoredBody:
    return StoredBody(
        stored.id,
        str(stored.originator_id),
        stored.originator_version,
        stored.topic,
        decode_state(stored.state),
    )


class ConversationTracker(Application[str]):
    """Store Dixa's webhooks and return the state of conversations at any moment.

    `as_of` is a moment in event time, answered with what is known today. `known_at` is a moment in
    receipt time, answered with what had been received by then. Both are aware datetimes.
    """

    def __init__(
        self,
        recorder: EventRecorder,
        *,
        grace: timedelta = GRACE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        secrets: Secrets = Secrets(),  # noqa: B008 — frozen
        open_reader: "Callable[[ConversationTracker], Asks] | None" = None,
    ) -> None:
        """Use an open event store; `grace` is how stale a snapshot may be.

        Stored signatures are judged by `secrets`. `open_reader` opens what answers the questions of
        `ask`.
        """
        self._open_reader = open_reader
        self._reader: Asks | None = None
        self.event_recorder = recorder
        self.grace = grace
        self._secrets = secrets
        self._clock = clock
        super().__init__()

    def __dir__(self) -> list[str]:
        """List what is of use here: not what the library has for aggregates."""
        own = ["event_recorder", "grace", *vars(ConversationTracker)]
        return [name for name in own if not name.startswith(("_", "construct_"))]

    def judge_signature(self, webhook: Webhook, organization_id: str | None) -> Verdict:
        """Return whether one of the tracker's secrets signs a stored webhook."""
        return judge(
            webhook.body,
            webhook.signature,
            self._secrets,
            subscription_id=webhook.subscription_id,
            organization_id=organization_id,
        )

    def now(self) -> datetime:
        """Return the time by the tracker's clock."""
        return self._clock()

    def read(self, stored: Notification) -> Event:
        """Read one stored event."""
        event: Event = self.mapper.to_domain_event(stored)  # type: ignore[assignment]
        return event

    def fold(
        self,
        stored: Sequence[Notification],
        *,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> FoldResult:
        """Fold the events of a stream; what cannot be folded is beside the state."""
        return fold_stream(stored, self.read, self.grace, as_of=as_of, known_at=known_at)

    def fold_with_recent(self, stored: Sequence[Notification]) -> FoldResult:
        """Fold the events of a stream, and keep the last of them for those that come late."""
        return fold_with_recent(stored, self.read, self.grace)

    def fold_further(
        self, state: State, stored: Sequence[Notification], recent: Recent = ()
    ) -> FoldResult | None:
        """Fold new events into a state; None if one belongs before all that are recent in it."""
        return fold_further(state, stored, self.read, self.grace, recent)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return the environment for the library: not that of the process."""
        return Environment(name, env or {})

    def construct_mapper(self) -> Mapper[str]:
        """Return the mapper of webhooks for the library."""
        return WebhookMapper(self.construct_transcoder())

    def construct_recorder(self) -> EventRecorder:
        """Return the tracker's recorder for the library."""
        return self.event_recorder

    def ask(self, question: Answerable[A]) -> A:
        """Return the answer to a question of `dixa_state.questions`.

        The views are brought up to date first, unless a projector is at work on them. Raises what
        `Reader.ask` raises.
        """
        answer: A = self._asks().ask(question)
        return answer

    def every(self, question: Pageable[A]) -> Iterator[A]:
        """Yield the items of all pages of a question's answer; raises what `ask` raises."""
        return self._asks().every(question)

    def close(self) -> None:
        """Close all connections."""
        if self._reader is not None:
            self._reader.close()
        self.event_recorder.close()
        super().close()

    def _asks(self) -> "Asks":
        if self._reader is None:
            if self._open_reader is None:
                raise InvalidInputError("ask: expected a tracker that was opened by `open_tracker`")
            self._reader = self._open_reader(self)
        self._reader.refresh()
        return self._reader

    def append(
        self,
        body: bytes | str,
        *,
        received_at: datetime | None = None,
        subscription_id: str | None = None,
        signature: str | None = None,
    ) -> Outcome:
        """Append one webhook body. It is on disk when this returns.

        Raises `StoreUnavailableError` if it could not be stored; trying again is always safe.
        """
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        moment = received_at or self._clock()
        return self.append_many([Webhook(raw, moment, subscription_id, signature)])[0]

    def append_many(self, webhooks: Iterable[Webhook]) -> list[Outcome]:
        """Append webhook bodies, each with its own outcome, in order.

        Each transaction takes at most `MAX_BATCH_EVENTS` and `MAX_BATCH_BYTES` of
        `dixa_state.store.append`, and holds off other writers meanwhile.
        """
        return self.event_recorder.append([prepare(webhook) for webhook in webhooks])

    def conversation(
        self,
        csid: int,
        *,
        organization: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        up_to: int | None = None,
    ) -> Conversation:
        """Return the state of a conversation; with `up_to`, from events up to that position only.

        Raises `NotFoundError` if there is none, or none yet at that moment, `AmbiguousError` if
        several organizations have one of this number and none is named, `InvalidInputError` for a
        moment without a zone, and `UnfoldableEventError` if one of its events cannot be folded.
        """
        _require_zone(as_of=as_of, known_at=known_at)
        stored = self.notifications(csid, organization=organization, up_to=up_to)
        state = self.fold(stored, as_of=as_of, known_at=known_at).require_state()
        if not isinstance(state, Conversation):
            raise self._nothing_yet(csid, stored)
        return state

    def transitions(
        self,
        csid: int,
        *,
        organization: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        up_to: int | None = None,
    ) -> tuple[Transition, ...]:
        """List the lifecycle transitions of a conversation, oldest first."""
        state = self.conversation(
            csid, organization=organization, as_of=as_of, known_at=known_at, up_to=up_to
        )
        return state.life.transitions

    def timeline(
        self,
        csid: int,
        *,
        organization: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        up_to: int | None = None,
    ) -> Iterator[Step]:
        """Yield the events of a conversation in event-time order, each with before and after."""
        _require_zone(as_of=as_of, known_at=known_at)
        stored = self.notifications(csid, organization=organization, up_to=up_to)
        return timeline(stored, self.read, self.grace, as_of=as_of, known_at=known_at)

    def notifications(
        self, csid: int, *, organization: str | None = None, up_to: int | None = None
    ) -> Sequence[Notification]:
        """Read the stored stream of a conversation, in order of arrival."""
        stored = self.event_recorder.select_stream(self._stream_of(csid, organization))
        if up_to is not None:
            stored = [event for event in stored if event.id <= up_to]
        if not stored:
            whose = f" of organization {organization}" if organization else ""
            raise NotFoundError(f"conversation {csid}{whose}: no webhook about it is in the store")
        return stored

    def webhooks(
        self, csid: int, *, organization: str | None = None, up_to: int | None = None
    ) -> Iterator[StoredBody]:
        """Return the stored webhooks of a conversation in order of arrival.

        Raises what `conversation` raises.
        """
        return map(_stored_body, self.notifications(csid, organization=organization, up_to=up_to))

    def webhook_at(self, position: int) -> StoredBody:
        """Return the stored webhook at a position; raises `NotFoundError` if there is none."""
        found = self.event_recorder.select_notifications(position, 1, stop=position)
        if not found:
            raise NotFoundError(f"event {position}: the store has none at that position")
        return _stored_body(found[0])

    def bans(self) -> Iterator[Ban]:
        """Yield every end user and IP address that ever was banned."""
        for prefix in ("enduser/", "ip/"):
            for stream in self.event_recorder.select_streams(prefix):
                state = self.fold(self.event_recorder.select_stream(stream)).require_state()
                if isinstance(state, Ban):
                    yield state

    def quarantined(
        self,
        ids: Sequence[int] | None = None,
        *,
        resolved: bool = False,
        limit: int = NO_LIMIT,
    ) -> Sequence[Quarantined]:
        """List the bodies that could not become events; with `resolved`, also the settled ones."""
        return self.event_recorder.select_quarantined(ids=ids, resolved=resolved, limit=limit)

    def retry_quarantined(self, ids: Sequence[int] | None = None) -> list[Outcome]:
        """Append quarantined bodies again, all or those of these ids.

        Their `received_at` is now, since only now they become known: answers for an earlier
        `known_at` must not change. The quarantine keeps when they first came.
        """
        outcomes = []
        for item in self.quarantined(ids):
            outcome = self.append_many([replace(item.webhook, received_at=self._clock())])[0]
            if outcome.kind != "quarantined":
                self.event_recorder.resolve([item.id], outcome.kind, self._clock())
            outcomes.append(outcome)
        return outcomes

    def discard_quarantined(self, ids: Sequence[int]) -> None:
        """Settle quarantined bodies as not wanted; they stay stored but are no longer listed.

        Raises `NotFoundError`, and settles nothing, if one of them does not wait in quarantine.
        """
        missing = sorted(set(ids) - {item.id for item in self.quarantined(ids)})
        if missing:
            raise NotFoundError(f"quarantine: expected numbers of bodies in it, got {missing}")
        self.event_recorder.resolve(ids, "discarded", self._clock())

    def _stream_of(self, csid: int, organization: str | None) -> str:
        if organization is not None:
            return conversation_stream(organization, csid)
        streams = list(self._streams_of(csid))
        if len(streams) > 1:
            firsts = (self.event_recorder.select_stream(name)[:1] for name in streams)
            owners = (self.fold(first).require_state() for first in firsts)
            names = sorted((owner and owner.organization_id) or '""' for owner in owners)
            raise AmbiguousError(
                f"conversation {csid}: expected one organization, got {len(names)}; name one of "
                f"them with --org: {', '.join(names)}"
            )
        return streams[0] if streams else conversation_stream(None, csid)

    def _streams_of(self, csid: int) -> Iterator[str]:
        """Yield the streams of this number."""
        for first in self.event_recorder.first_streams("conversation"):
            candidate = f"{first.rpartition('/')[0]}/{csid}"
            if self.event_recorder.next_stream(candidate) == candidate:
                yield candidate

    def _nothing_yet(self, csid: int, stored: Sequence[Notification]) -> NotFoundError:
        events = [self.read(event) for event in stored]
        first = format_time(min(event.at for event in events))
        known = format_time(min(event.received_at for event in events))
        return NotFoundError(
            f"conversation {csid}: nothing at that moment; its first webhook is of {first}, and it "
            f"is known since {known}"
        )


def _require_zone(**moments: datetime | None) -> None:
    for name, moment in moments.items():
        if moment is not None and getattr(moment, "tzinfo", None) is None:
            raise InvalidInputError(f"{name}: expected a time with a zone, got {moment}")
