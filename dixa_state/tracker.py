"""ConversationTracker: the application that keeps webhooks and answers from them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from eventsourcing.application import Application
from eventsourcing.persistence import (
    EventStore,
    InfrastructureFactory,
    Mapper,
    Notification,
    NotSupportedError,
    ProcessRecorder,
    StoredEvent,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType
from msgspec import Struct
from msgspec.structs import replace

from dixa_state.dixa.reading import event_from
from dixa_state.dixa.streams import conversation_stream
from dixa_state.domain import bans
from dixa_state.domain.bans import Ban, BanKind
from dixa_state.domain.conversation import Conversation, initial
from dixa_state.domain.events import Event, believed, mark_late
from dixa_state.domain.evidence import GRACE
from dixa_state.domain.fold import evolve, fold
from dixa_state.domain.lifecycle import Transition
from dixa_state.domain.states import as_kept
from dixa_state.domain.timestamps import format_time
from dixa_state.errors import AmbiguousError, InvalidInputError, NotFoundError
from dixa_state.store.append import EventRecorder, Outcome, Quarantined, prepare
from dixa_state.store.events import StoredWebhook, Webhook, decode_event, decode_state


class WebhookMapper(Mapper[str]):
    """Reads stored webhooks as events; topics are names from the catalogue, not import paths."""

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """Read a stored event."""
        received_at, body = decode_event(stored_event.state)
        return event_from(
            body,
            topic=stored_event.topic,
            received_at=received_at,
            version=stored_event.originator_version,
            position=stored_event.id if isinstance(stored_event, Notification) else 0,
        )


class Step(Struct, frozen=True):
    """One event of a conversation, with the state before and after it."""

    event: Event
    before: Conversation
    after: Conversation


class StoredBody(Struct, frozen=True):
    """A stored event as it came in: where it is, and the webhook byte for byte."""

    position: int
    version: int
    topic: str
    webhook: StoredWebhook


class StoredWebhooks(EventStore[str]):
    """The library's event store; called with a conversation, it gives the webhooks as they came."""

    def __init__(self, mapper: Mapper[str], tracker: "ConversationTracker") -> None:
        """Read from the tracker's recorder."""
        super().__init__(mapper, tracker.event_recorder)
        self._tracker = tracker

    def __call__(
        self, csid: int, *, organization: str | None = None, up_to: int | None = None
    ) -> Iterator[StoredBody]:
        """Go through the stored webhooks of a conversation in order of arrival.

        Raises what `ConversationTracker.conversation` raises.
        """
        found = self._tracker.notifications(csid, organization=organization, up_to=up_to)
        for stored in found:
            webhook = decode_state(stored.state)
            yield StoredBody(stored.id, stored.originator_version, stored.topic, webhook)


class ConversationTracker(Application[str]):
    """Keeps Dixa's webhooks and tells the state of conversations at any moment.

    `as_of` asks how things were at a time, by what is known today; `known_at` asks what was
    believed at a time, by what had been received until then. Both are aware datetimes.
    """

    def __init__(
        self,
        recorder: EventRecorder,
        *,
        grace: timedelta = GRACE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Work on an open event store; `grace` is how stale a snapshot may be."""
        self._event_recorder = recorder
        self._grace = grace
        self._clock = clock
        super().__init__()

    events: StoredWebhooks

    @property
    def event_recorder(self) -> EventRecorder:
        """The event store."""
        return self._event_recorder

    @property
    def grace(self) -> timedelta:
        """How stale a snapshot may be."""
        return self._grace

    def now(self) -> datetime:
        """Tell the time, by the clock that this tracker goes by."""
        return self._clock()

    def read(self, stored: Notification) -> Event:
        """Read one stored event."""
        event: Event = self.mapper.to_domain_event(stored)  # type: ignore[assignment]
        return event

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Give the library an environment that is not the process's."""
        return Environment(name, env or {})

    def construct_factory(self, env: Environment) -> "_Factory":
        """Give the library the recorder that this tracker was made with."""
        return _Factory(self._event_recorder, env)

    def construct_mapper(self) -> Mapper[str]:
        """Give the library the mapper of webhooks."""
        return WebhookMapper(self.construct_transcoder())

    def construct_event_store(self) -> StoredWebhooks:
        """Give the library an event store that users can call."""
        return StoredWebhooks(self.mapper, self)

    def append(
        self,
        body: bytes | str,
        *,
        received_at: datetime | None = None,
        subscription_id: str | None = None,
        signature: str | None = None,
    ) -> Outcome:
        """Keep one webhook body. It is on disk when this returns.

        Raises `StoreUnavailableError` if it could not be stored; trying again is always safe.
        """
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        moment = received_at or self._clock()
        return self.append_many([Webhook(raw, moment, subscription_id, signature)])[0]

    def append_many(self, webhooks: Iterable[Webhook]) -> list[Outcome]:
        """Keep a batch of webhook bodies in one transaction, each with its own outcome, in order.

        The batch is held in memory and locks out other writers until it is done: keep it within
        `event_store.MAX_BATCH_EVENTS` and `MAX_BATCH_BYTES`.
        """
        return self._event_recorder.append([prepare(webhook) for webhook in webhooks])

    def conversation(
        self,
        csid: int,
        *,
        organization: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        up_to: int | None = None,
    ) -> Conversation:
        """Tell the state of a conversation; with `up_to`, by the events up to that position only.

        Raises `NotFoundError` if there is none, or none yet at that moment, `AmbiguousError` if
        several organizations have one of this number and none is named, and `InvalidInputError`
        for a moment without a zone.
        """
        _require_zone(as_of=as_of, known_at=known_at)
        events = self._read(self.notifications(csid, organization=organization, up_to=up_to))
        known = believed(events, as_of=as_of, known_at=known_at)
        if not known:
            raise _nothing_yet(csid, events)
        return as_kept(fold(initial(events[0].organization_id, csid), known, grace=self._grace))

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
        self, csid: int, *, organization: str | None = None, up_to: int | None = None
    ) -> Iterator[Step]:
        """Go through a conversation in event-time order, with the state before and after each."""
        stored = self.notifications(csid, organization=organization, up_to=up_to)
        events = self._read(stored)
        state = initial(events[0].organization_id, csid)
        for event in sorted(events, key=lambda event: event.order):
            after = evolve(state, event, grace=self._grace)
            yield Step(event, state, after)
            state = after

    def notifications(
        self, csid: int, *, organization: str | None = None, up_to: int | None = None
    ) -> Sequence[Notification]:
        """Read the stream of a conversation, in order of arrival, as the store has it."""
        stored = self._event_recorder.select_stream(self._stream_of(csid, organization))
        if up_to is not None:
            stored = [event for event in stored if event.id <= up_to]
        if not stored:
            whose = f" of organization {organization}" if organization else ""
            raise NotFoundError(f"conversation {csid}{whose}: no webhook about it is in the store")
        return stored

    def bans(self) -> Iterator[Ban]:
        """Go through every end user and IP address that ever was banned."""
        kinds: tuple[BanKind, ...] = ("enduser", "ip")
        for kind in kinds:
            for stream in self._event_recorder.select_streams(f"{kind}/"):
                events = self._read(self._event_recorder.select_stream(stream))
                subject = bans.subject(events[0])
                yield bans.fold(Ban(events[0].organization_id, kind, subject), events)

    def quarantined(
        self, ids: Sequence[int] | None = None, *, resolved: bool = False
    ) -> Sequence[Quarantined]:
        """List the bodies that could not become events; with `resolved`, also those settled."""
        return self._event_recorder.select_quarantined(ids=ids, resolved=resolved)

    def retry_quarantined(self, ids: Sequence[int] | None = None) -> list[Outcome]:
        """Try again to make events of quarantined bodies.

        They count as received now, when they become known: what was believed before stays as it
        was. The quarantine keeps when they came.
        """
        outcomes = []
        for item in self.quarantined(ids):
            outcome = self.append_many([replace(item.webhook, received_at=self._clock())])[0]
            if outcome.kind != "quarantined":
                self._event_recorder.resolve(item.id, outcome.kind, self._clock())
            outcomes.append(outcome)
        return outcomes

    def discard_quarantined(self, quarantine_id: int) -> None:
        """Settle that a quarantined body is not wanted; it is listed no more, but kept.

        Raises `NotFoundError` if no such body waits in quarantine.
        """
        if not self.quarantined([quarantine_id]):
            raise NotFoundError(
                f"quarantine: expected the number of a body in it, got {quarantine_id}"
            )
        self._event_recorder.resolve(quarantine_id, "discarded", self._clock())

    def _stream_of(self, csid: int, organization: str | None) -> str:
        if organization is not None:
            return conversation_stream(organization, csid)
        streams = list(self._streams_of(csid))
        if len(streams) > 1:
            owners = (self._read(self._event_recorder.select_stream(name))[0] for name in streams)
            names = sorted(owner.organization_id or '""' for owner in owners)
            raise AmbiguousError(
                f"conversation {csid}: expected one organization, got {len(names)}; name one of "
                f"them with --org: {', '.join(names)}"
            )
        return streams[0] if streams else conversation_stream(None, csid)

    def _streams_of(self, csid: int) -> Iterator[str]:
        """Find the conversations of this number, one organization after the other."""
        stream = self._event_recorder.next_stream("conversation/")
        while stream is not None and stream.startswith("conversation/"):
            organization = stream.split("/")[1]
            candidate = f"conversation/{organization}/{csid}"
            if self._event_recorder.next_stream(candidate) == candidate:
                yield candidate
            # "0" sorts right after "/": past all conversations of this organization
            stream = self._event_recorder.next_stream(f"conversation/{organization}0")

    def _read(self, stored: Sequence[Notification]) -> list[Event]:
        return mark_late(map(self.read, stored))


def _require_zone(**moments: datetime | None) -> None:
    for name, moment in moments.items():
        if moment is not None and moment.tzinfo is None:
            raise InvalidInputError(
                f"{name}: expected a time with a zone, got {moment.isoformat()}"
            )


def _nothing_yet(csid: int, events: Sequence[Event]) -> NotFoundError:
    exists = format_time(min(event.at for event in events))
    known = format_time(min(event.received_at for event in events))
    return NotFoundError(
        f"conversation {csid}: nothing at that moment; it exists since {exists} and is known "
        f"since {known}"
    )


class _Factory(InfrastructureFactory[TrackingRecorder]):
    """Hands the library the one recorder there is."""

    def __init__(self, recorder: EventRecorder, env: Environment) -> None:
        super().__init__(env)
        self._recorder = recorder

    def application_recorder(self) -> EventRecorder:
        return self._recorder

    def aggregate_recorder(self, purpose: str = "events") -> EventRecorder:
        raise NotSupportedError(f"no recorder for {purpose}: events are folded, not snapshotted")

    def tracking_recorder(
        self, tracking_recorder_class: type[TrackingRecorder] | None = None
    ) -> TrackingRecorder:
        raise NotSupportedError(f"no tracking recorder {tracking_recorder_class} here")

    def process_recorder(self) -> ProcessRecorder:
        raise NotSupportedError("no process recorder: webhooks are facts, nothing answers them")

    def close(self) -> None:
        self._recorder.close()
