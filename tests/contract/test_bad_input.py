"""Every broken or hostile body ends in one of three places, with a reason for people."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from dixa_state import ConversationTracker

GOOD: dict[str, Any] = {
    "event_id": "e-1",
    "event_fqn": "CONVERSATION_CLOSED",
    "event_version": "1",
    "event_timestamp": "2026-03-02T08:00:00.000Z",
    "organization": {"id": "org-1", "name": "Aurora"},
    "data": {"conversation": {"csid": 7, "status": "CLOSED", "tags": []}},
}


def body(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


def about(**changes: Any) -> bytes:
    return body(data={"conversation": GOOD["data"]["conversation"] | changes})


TAKEN = {
    "a NUL inside a text": about(subject="Ze\0ro"),
    "a NUL inside the event id": body(event_id="e\0-1"),
    "a NUL inside the organization's id": body(organization={"id": "org\0"}),
    "a NUL inside an unknown fqn": body(event_fqn="NEW\0THING"),
    "a time without zone": body(event_timestamp="2026-03-02T08:00:00"),
    "a time at +02:00": body(event_timestamp="2026-03-02T08:00:00+02:00"),
    "a time with nanoseconds": body(event_timestamp="2026-03-02T08:00:00.123456789Z"),
    "a time with Z[GMT]": body(event_timestamp="2026-03-02T08:00:00.581Z[GMT]"),
    "a time in the year 9999": body(event_timestamp="9999-12-31T23:59:59.999Z"),
    "a csid of digits": about(csid="7"),
    "a csid as a float": about(csid=7.0),
    "no organization": body(organization=None),
    "an organization of another type": body(organization=[1]),
    "an event id that is no UUID": body(event_id="not a uuid"),
    "an event id of 10,000 characters": body(event_id="x" * 10_000),
    "an organization of 10,000 characters": body(organization={"id": "ø" * 10_000}),
    "an unknown fqn": body(event_fqn="CONVERSATION_SNOOZED"),
    "an unknown fqn without a csid": body(event_fqn="AGENT_ON_HOLIDAY", data=None),
    "an unknown fqn with an impossible csid": body(
        event_fqn="NEW", data={"conversation": {"csid": -1}}
    ),
    "tags null": about(tags=None),
    "tags of another type": about(tags="vip"),
    "duplicate keys": body().replace(b'"event_version"', b'"event_id": "e-2", "event_version"'),
    "a ban without data": body(event_fqn="AGENT_BANNED_IP", data=None),
    "a ban on a huge name": body(
        event_fqn="AGENT_BANNED_ENDUSER", data={"enduser": {"name": "x/ \0" * 5_000}}
    ),
    "white space around": b" \r\n" + body() + b"\n\t",
}
REFUSED = {
    "not JSON": (b"hello", "expected JSON, got 'hello'"),
    "half a body": (body()[:-9], "expected JSON"),
    "an empty body": (b"", "expected JSON, got nothing"),
    "a JSON number": (b"42", "expected a JSON object, got 42"),
    "a JSON list": (b"[]", "expected a JSON object, got []"),
    "5 MB of nesting": (b"[" * 5_000_000, "recursion limit"),
    "5 MB of nesting in a good envelope": (
        body()[:-1] + b', "deep": ' + b"[" * 2_500_000 + b"]" * 2_500_000 + b"}",
        "recursion limit",
    ),
    "NaN": (body().replace(b'"CLOSED"', b"NaN"), "expected JSON"),
    "invalid UTF-8": (body().replace(b"Aurora", b"Aur\xffra"), "expected JSON"),
    "a raw NUL": (body().replace(b"Aurora", b"Aur\0ra"), "expected JSON"),
    "half a surrogate pair": (body().replace(b"Aurora", b"Aur\\ud800ra"), "expected JSON"),
    "no event id": (
        json.dumps({k: v for k, v in GOOD.items() if k != "event_id"}).encode(),
        "event_id: expected a text that is not empty, got nothing",
    ),
    "an empty event id": (
        body(event_id=""),
        "event_id: expected a text that is not empty, got ''",
    ),
    "a number as event id": (
        body(event_id=5),
        "event_id: expected a text that is not empty, got 5",
    ),
    "no fqn": (body(event_fqn=None), "event_fqn: expected a text that is not empty, got nothing"),
    "no time": (body(event_timestamp=""), "event_timestamp: expected a text"),
    "an unusable time": (
        body(event_timestamp="yesterday"),
        "event_timestamp: expected a time such as 2026-03-02T08:00:00.000Z, got 'yesterday'",
    ),
    "a time past the end of time": (
        body(event_timestamp="9999-12-31T23:59:59-12:00"),
        "event_timestamp: expected a time",
    ),
    "data null": (body(data=None), "csid: expected a whole number"),
    "no csid": (about(csid=None), "data.conversation.csid: expected a whole number from 1"),
    "a negative csid": (about(csid=-7), "got -7"),
    "a csid beyond 64 bits": (about(csid=2**64), "got 18446744073709551616"),
    "a csid with a fraction": (about(csid=7.5), "got 7.5"),
    "a csid that is no number": (about(csid="seven"), "got 'seven'"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_can_become_an_event_is_appended_once(store: SimpleNamespace, name: str) -> None:
    tracker: ConversationTracker = store.open()
    outcome = tracker.append(TAKEN[name])
    assert (outcome.kind, outcome.position) == ("appended", 1)
    assert tracker.append(TAKEN[name]).kind == "duplicate"
    assert tracker.event_recorder.max_notification_id() == 1


@pytest.mark.parametrize("name", TAKEN)
def test_what_was_appended_can_be_folded_and_told(store: SimpleNamespace, name: str) -> None:
    tracker: ConversationTracker = store.open()
    tracker.append(TAKEN[name])
    stored = tracker.event_recorder.select_notifications(1, 1)[0]
    stream = str(stored.originator_id)
    if stream.startswith("conversation/"):
        assert tracker.conversation(7).version == 1
        assert len(list(tracker.timeline(7))) == 1
    assert len(list(tracker.bans())) == (stream.split("/", maxsplit=1)[0] in ("enduser", "ip"))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_become_an_event_is_quarantined_with_its_reason(
    store: SimpleNamespace, name: str
) -> None:
    tracker: ConversationTracker = store.open()
    raw, reason = REFUSED[name]
    outcome = tracker.append(raw, signature="t=1,v1=\0", subscription_id="sub-1")
    assert outcome.kind == "quarantined"
    assert outcome.reason is not None
    assert reason in outcome.reason
    assert len(outcome.reason) < 400
    [item] = tracker.quarantined()
    assert (item.id, item.webhook.body) == (outcome.quarantine_id, raw)
    assert item.webhook.signature == "t=1,v1=\N{REPLACEMENT CHARACTER}"
    assert item.webhook.subscription_id == "sub-1"
    assert tracker.event_recorder.max_notification_id() is None


def test_the_same_broken_body_is_quarantined_once(store: SimpleNamespace) -> None:
    tracker: ConversationTracker = store.open()
    first, again = tracker.append(b"broken"), tracker.append(b"broken")
    assert first.quarantine_id == again.quarantine_id
    assert len(tracker.quarantined()) == 1


def test_a_discarded_body_is_listed_no_more_but_kept(store: SimpleNamespace) -> None:
    tracker: ConversationTracker = store.open()
    number = tracker.append(b"broken").quarantine_id
    assert number is not None
    tracker.discard_quarantined([number])
    assert list(tracker.quarantined()) == []
    [item] = tracker.quarantined(resolved=True)
    assert (item.resolution, item.webhook.body) == ("discarded", b"broken")


def test_a_retry_leaves_what_still_cannot_become_an_event(store: SimpleNamespace) -> None:
    tracker: ConversationTracker = store.open()
    tracker.append(b"broken")
    tracker.append(body())
    tracker.append(body(event_version="2"))
    assert [outcome.kind for outcome in tracker.retry_quarantined()] == 2 * ["quarantined"]
    assert len(tracker.quarantined()) == 2


def test_a_retry_settles_what_can_now_become_an_event(
    store: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker: ConversationTracker = store.open()
    with monkeypatch.context() as patch:
        patch.setattr("dixa_state.dixa.streams.MAX_CSID", 5)  # as an earlier version might
        tracker.append(body())
    assert [outcome.kind for outcome in tracker.retry_quarantined()] == ["appended"]
    assert list(tracker.quarantined()) == []
    assert [item.resolution for item in tracker.quarantined(resolved=True)] == ["appended"]
    assert tracker.conversation(7).life.status == "closed"


def test_a_discarded_body_that_comes_again_waits_again(store: SimpleNamespace) -> None:
    tracker: ConversationTracker = store.open()
    number = tracker.append(b"broken").quarantine_id
    assert number is not None
    tracker.discard_quarantined([number])
    assert tracker.append(b"broken").quarantine_id == number
    assert [item.id for item in tracker.quarantined()] == [number]


def test_what_was_believed_before_a_retry_stays_as_it_was(
    store: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten, noon = (datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (10, 12))
    tracker: ConversationTracker = store.open(clock=lambda: noon)
    tracker.append(body(event_id="e-0", event_fqn="CONVERSATION_CREATED"), received_at=ten)
    with monkeypatch.context() as patch:
        patch.setattr("dixa_state.dixa.streams.MAX_CSID", 5)  # as an earlier version might
        tracker.append(body(event_timestamp="2026-03-02T09:00:00Z"), received_at=ten)
    tracker.retry_quarantined()
    assert tracker.conversation(7, known_at=ten).version == 1
    assert tracker.conversation(7, known_at=noon).version == 2
