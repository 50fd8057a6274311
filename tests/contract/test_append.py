"""What every backend promises of an append."""

import json
import threading
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from uuid import uuid4

import pytest
from eventsourcing.persistence import Notification

from dixa_state import (
    InvalidInputError,
    NotFoundError,
    Outcome,
    SignatureError,
    Webhook,
)
from dixa_state.dixa.signature import parse_secrets, sign, verify
from dixa_state.store.append import MAX_BATCH_EVENTS, Known, Writer, batches
from dixa_state.store.events import decode_state

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def body(**changes: object) -> bytes:
    event = {
        "event_id": str(uuid4()),
        "event_fqn": "CONVERSATION_CREATED",
        "event_version": "1",
        "event_timestamp": "2026-03-02T08:00:00.000Z",
        "organization": {"id": "org-1", "name": "Aurora"},
        "data": {"conversation": {"csid": 7, "status": "OPEN"}},
    }
    return json.dumps(event | changes).encode()


def webhooks(*bodies: bytes) -> list[Webhook]:
    return [Webhook(raw, NOON) for raw in bodies]


def test_a_new_event_is_appended_and_can_be_asked_for(store: SimpleNamespace) -> None:
    tracker = store.open()
    outcome = tracker.append(body(event_id="e-1"))
    assert outcome == Outcome("appended", "e-1", position=1, topic="conversation.created")
    assert tracker.conversation(7).status == "open"


def test_the_same_body_again_is_a_duplicate_at_the_position_of_the_first(
    store: SimpleNamespace,
) -> None:
    tracker = store.open()
    first = body(event_id="e-1")
    tracker.append(body(event_id="e-0"))
    tracker.append(first)
    assert tracker.append(first) == Outcome(
        "duplicate", "e-1", position=2, topic="conversation.created"
    )
    assert len(list(tracker.webhooks(7))) == 2


def test_duplicates_are_recognised_in_a_store_that_was_closed_and_opened_again(
    store: SimpleNamespace,
) -> None:
    raw = body()
    store.open().append(raw)
    assert store.open().append(raw).kind == "duplicate"


def test_the_same_content_spaced_otherwise_is_a_duplicate(store: SimpleNamespace) -> None:
    tracker = store.open()
    raw = body()
    tracker.append(raw)
    assert tracker.append(json.dumps(json.loads(raw), indent=2)).kind == "duplicate"


def test_the_same_event_id_with_other_content_is_quarantined(store: SimpleNamespace) -> None:
    tracker = store.open()
    tracker.append(body(event_id="e-1"))
    outcome = tracker.append(body(event_id="e-1", event_version="2"))
    assert outcome.kind == "quarantined"
    assert outcome.reason == (
        "event_id: expected the content that is stored at position 1, got other content"
    )
    assert [item.problem for item in tracker.quarantined()] == ["conflict"]


def test_the_same_event_id_in_another_organization_is_another_event(
    store: SimpleNamespace,
) -> None:
    tracker = store.open()
    kinds = [tracker.append(body(event_id="e-1", organization={"id": name})).kind for name in "ab"]
    assert kinds == ["appended", "appended"]


def test_each_delivery_of_a_batch_has_its_own_outcome_in_order(store: SimpleNamespace) -> None:
    tracker = store.open()
    one, two = body(event_id="e-1"), body(event_id="e-2")
    conflict = body(event_id="e-1", event_version="9")
    outcomes = tracker.append_many(webhooks(one, b"[", one, conflict, two, two))
    assert [outcome.kind for outcome in outcomes] == [
        "appended",
        "quarantined",
        "duplicate",
        "quarantined",
        "appended",
        "duplicate",
    ]
    assert [outcome.position for outcome in outcomes] == [1, None, 1, None, 2, 2]


def test_positions_rise_by_one_and_versions_count_the_stream(store: SimpleNamespace) -> None:
    tracker = store.open()
    other = {"conversation": {"csid": 8}}
    tracker.append_many(webhooks(body(), body(data=other), body()))
    tracker.append_many(webhooks(body(data=other), body()))
    notifications = tracker.event_recorder.select_notifications(1, 10)
    assert [event.id for event in notifications] == [1, 2, 3, 4, 5]
    assert [event.originator_version for event in notifications] == [1, 1, 2, 2, 3]


def test_a_batch_of_nothing_is_no_trouble(store: SimpleNamespace) -> None:
    assert store.open().append_many([]) == []


def test_a_body_of_several_megabytes_is_kept(store: SimpleNamespace) -> None:
    tracker = store.open()
    raw = body(padding="x" * 5_000_000)
    kinds = [outcome.kind for outcome in tracker.append_many(webhooks(raw, body()))]
    assert kinds == ["appended", "appended"]
    assert next(tracker.webhooks(7)).webhook.body == raw


def test_the_body_of_a_stored_event_comes_back_byte_for_byte(
    store: SimpleNamespace, day_lines: list[bytes]
) -> None:
    tracker = store.open()
    odd = (
        b' \n{"data":{"conversation":{"csid":70431.0}}, "event_id":"x","event_id":"odd",\t'
        b'"event_fqn":"new_Thing","event_timestamp":"2026-03-02T08:00:00+02:00",'
        b'"text":"\\u0000 ,\\"body\\": \xf0\x9f\x8f\x95","organization":{"id":"odd"}}\r\n'
    )
    tracker.append_many(webhooks(*day_lines, odd))
    stored = tracker.event_recorder.select_notifications(1, 100)
    assert [decode_state(event.state).body for event in stored] == [*day_lines, odd]
    assert all(json.loads(event.state) for event in stored)


def test_what_the_request_said_is_stored_beside_the_body(store: SimpleNamespace) -> None:
    tracker = store.open()
    header = 't=1,v1=",\\"body\\":é"'
    tracker.append(body(), received_at=NOON, subscription_id="sub-1", signature=header)
    webhook = next(tracker.webhooks(7)).webhook
    assert (webhook.received_at, webhook.subscription_id) == (NOON, "sub-1")
    assert webhook.signature == header


def test_the_signature_of_a_stored_event_verifies_again(
    store: SimpleNamespace, day_lines: list[bytes]
) -> None:
    secrets = parse_secrets("00112233445566778899aabbccddeeff")
    tracker = store.open()
    for number, raw in enumerate(day_lines):
        header = sign(raw, secrets.unbound[0], t=1_772_438_400_000 + number)
        tracker.append(raw, signature=header)
    for stored in tracker.event_recorder.select_notifications(1, 100):
        webhook = decode_state(stored.state)
        verify(webhook.body, webhook.signature, secrets)
        with pytest.raises(SignatureError):
            verify(webhook.body + b" ", webhook.signature, secrets)


def test_a_batch_that_fails_leaves_nothing_behind(store: SimpleNamespace) -> None:
    tracker = store.open()
    recorder = tracker.event_recorder
    with pytest.raises(ValueError, match="stop"), recorder.writing() as writer:
        _insert_and_stop(writer)
    assert recorder.max_notification_id() is None
    assert tracker.append(body()).position == 1


def _insert_and_stop(writer: Writer) -> None:
    writer.insert([Notification("s", 1, "t", b"{}", 1)], {b"key": Known(b"digest", 1)})
    raise ValueError("stop")


def test_a_hundred_simultaneous_copies_make_one_event(store: SimpleNamespace) -> None:
    trackers = [store.open() for _ in range(4)]
    raw = body()
    outcomes: list[str] = []
    start = threading.Barrier(20)

    def deliver(number: int) -> None:
        start.wait()
        for _ in range(5):
            outcomes.append(trackers[number % 4].append(raw).kind)  # noqa: PERF401

    threads = [threading.Thread(target=deliver, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["appended"] + 99 * ["duplicate"]


def test_concurrent_writers_and_one_tailing_reader_skip_nothing(store: SimpleNamespace) -> None:
    writers = [store.open() for _ in range(4)]
    reader = store.open().event_recorder
    batches, size = 25, 8
    done = threading.Event()
    seen: list[int] = []

    def write(tracker: object) -> None:
        for _ in range(batches):
            raw = webhooks(*(body() for _ in range(size)))
            tracker.append_many(raw)  # type: ignore[attr-defined]

    def follow() -> None:
        while not (done.is_set() and reader.max_notification_id() == len(seen)):
            after = seen[-1] if seen else 0
            page = reader.select_notifications(after, 50, inclusive_of_start=False)
            seen.extend(event.id for event in page)

    threads = [threading.Thread(target=write, args=(tracker,)) for tracker in writers]
    follower = threading.Thread(target=follow)
    for thread in [follower, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    follower.join(60)
    assert seen == list(range(1, 4 * batches * size + 1))


def test_nothing_about_a_conversation_is_not_found(store: SimpleNamespace) -> None:
    with pytest.raises(NotFoundError, match="conversation 5: no webhook about it"):
        store.open().conversation(5)


def test_a_header_with_half_a_character_does_not_sink_its_batch(store: SimpleNamespace) -> None:
    odd = Webhook(body(), NOON, "sub\udc80", "t=1,v1=\udc80\0")
    outcomes = store.open().append_many([*webhooks(body()), odd])
    assert [outcome.kind for outcome in outcomes] == ["appended", "appended"]


def test_a_time_of_receipt_in_any_zone_is_kept_in_utc(store: SimpleNamespace) -> None:
    tracker = store.open()
    there = NOON.astimezone(timezone(timedelta(hours=2)))
    tracker.append(body(), received_at=there)
    tracker.append(b"broken", received_at=there)
    assert next(tracker.webhooks(7)).webhook.received_at == NOON
    assert [item.webhook.received_at for item in tracker.quarantined()] == [NOON]


def test_a_time_of_receipt_without_a_zone_is_refused(store: SimpleNamespace) -> None:
    with pytest.raises(InvalidInputError, match="expected a time with a zone, got 2026-03-02T12"):
        store.open().append(body(), received_at=NOON.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"x": true', '"x": 1'),
        ('"x": 9007199254740993.0', '"x": 9007199254740992.0'),
        ('"x": 1, "x": 2', '"x": 2'),
        ('"x": 1', '"x": 1.0'),
        ('"x": null', '"y": null'),
    ],
)
def test_content_that_only_looks_alike_is_not_taken_for_a_duplicate(
    store: SimpleNamespace, one: str, other: str
) -> None:
    tracker = store.open()
    raw = body(event_id="e-1").decode()[:-1]
    kinds = [tracker.append(f"{raw}, {text}}}").kind for text in (one, other)]
    assert kinds == ["appended", "quarantined"]


def test_members_in_another_order_are_the_same_content(store: SimpleNamespace) -> None:
    tracker = store.open()
    raw = body()
    tracker.append(raw)
    turned = dict(reversed(json.loads(raw).items()))
    assert tracker.append(json.dumps(turned)).kind == "duplicate"


def test_a_batch_is_bounded_in_events_and_in_bytes() -> None:
    sizes = [1] * 2_500 + [3 << 20] * 5 + [20 << 20, 1]
    split = [len(batch) for batch in batches(sizes, lambda size: size)]
    assert split == [1_000, 1_000, 502, 2, 1, 1, 1]


def test_more_than_a_batch_may_hold_takes_several_transactions(store: SimpleNamespace) -> None:
    tracker = store.open()
    outcomes = tracker.append_many(webhooks(*(body() for _ in range(MAX_BATCH_EVENTS + 1))))
    assert [outcome.position for outcome in outcomes] == list(range(1, MAX_BATCH_EVENTS + 2))
