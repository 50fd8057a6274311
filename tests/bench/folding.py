"""`fold`: decoding and folding on one core, beside decoding alone."""

import gc
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
from eventsourcing.persistence import JSONTranscoder, Notification
from measuring import Beside, Result, in_turns, timed
from stores import MakeStore
from traffic import received_webhooks

from dixa_state.dixa.body import identify
from dixa_state.domain.evidence import GRACE
from dixa_state.fold import fold_stream
from dixa_state.store.events import Webhook, encode_state
from dixa_state.tracker import WebhookMapper

EVENTS = 10_000


class Shown(msgspec.Struct):
    """The parts of a conversation that a fold cannot do without."""

    csid: int
    status: str | None = None
    channel: str | None = None
    requester: dict[str, Any] | None = None
    assignee: dict[str, Any] | None = None
    queue: dict[str, Any] | None = None
    tags: list[dict[str, Any]] | None = None


class Told(msgspec.Struct):
    """The data of a webhook."""

    conversation: Shown | None = None


class Plain(msgspec.Struct):
    """A webhook, typed."""

    event_id: str
    event_fqn: str
    event_timestamp: datetime
    data: Told | None = None


def fold(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure microseconds an event; the database has no part in it."""
    del make
    if store != "sqlite":
        return
    streams = _streams()
    decoder = msgspec.json.Decoder(Plain)
    sent = [webhook.body for webhook in received_webhooks(EVENTS)]
    times = in_turns(
        {
            "ours": lambda: _folded(streams),
            "decoding": lambda: _each(lambda: [None for body in sent if not decoder.decode(body)]),
        },
        rounds=5,
    )
    beside = Beside("typed decoding alone", times["decoding"], at_most=3)
    yield Result("fold", "none", "µs/event", times["ours"], (beside,))


def _streams() -> dict[str, list[Notification]]:
    placed = [_notification(number, one) for number, one in enumerate(received_webhooks(EVENTS), 1)]
    ordered = sorted(placed, key=lambda one: (str(one.originator_id), one.id))
    return {str(name): list(some) for name, some in groupby(ordered, lambda one: one.originator_id)}


def _notification(number: int, webhook: Webhook) -> Notification:
    known = identify(webhook.body)
    return Notification(known.stream, number, known.topic, encode_state(webhook), number)


def _folded(streams: dict[str, list[Notification]]) -> float:
    read = WebhookMapper(JSONTranscoder()).to_domain_event

    def work() -> None:
        for name, stored in streams.items():
            if name.startswith(("conversation/", "enduser/", "ip/")):
                fold_stream(stored, read, GRACE)

    return _each(work)


def _each(work: Any) -> float:
    gc.collect()
    gc.disable()
    try:
        with timed() as seconds:
            work()
    finally:
        gc.enable()
    return seconds() / EVENTS * 1e6
