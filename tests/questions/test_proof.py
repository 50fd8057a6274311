"""Proof: the stored webhook, the verdict on its signature, and the event behind each field."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dixa_state import ConversationTracker, NotFoundError, open_tracker
from dixa_state.dixa.signature import parse_secrets, sign
from dixa_state.errors import InvalidInputError
from dixa_state.questions import (
    Cause,
    ConversationTransitions,
    OneStoredEvent,
    StoredEvents,
    Timeline,
    Transitions,
    Why,
    describe,
)
from dixa_state.questions.why import FIELDS, field_value

KEY, OTHER = "00" * 32, "ff" * 32
ORGANIZATION = "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"


@pytest.fixture(scope="module")
def day(
    tmp_path_factory: pytest.TempPathFactory, day_lines: list[bytes]
) -> Iterator[ConversationTracker]:
    """The example day, the first event of it signed, the second by another secret."""
    url = f"sqlite:///{tmp_path_factory.mktemp('proof')}/store.db"
    with open_tracker(url, secrets=parse_secrets(KEY)) as tracker:
        for line, key in zip(day_lines[:2], (KEY, OTHER), strict=True):
            tracker.append(line, signature=sign(line, bytes.fromhex(key), t=1), subscription_id="s")
        for line in day_lines[2:]:
            tracker.append(line)
        yield tracker


def why(tracker: ConversationTracker, field: str, **more: Any) -> Cause:
    return tracker.ask(Why(csid=70431, field=field, **more))


@pytest.mark.parametrize(
    ("field", "value", "before", "event", "evidence"),
    [
        ("status", "closed", "open", "conversation.closed", "event"),
        ("channel", "WIDGET_CHAT", None, "conversation.created", "snapshot"),
        ("tags", ["replacement"], [], "conversation.tag_added", "event"),
        ("tags.replacement", True, False, "conversation.tag_added", "event"),
        ("tags.spam", False, None, None, None),
        ("subject", None, None, None, None),
        ("sla_status", "breached", "pending", "sla.breached", "event"),
        (
            "times.first_closed_at",
            "2026-03-02T09:40:00.000Z",
            None,
            "conversation.closed",
            "event",
        ),
        (
            "custom_attributes.order_number",
            "AU-1187",
            None,
            "conversation.custom_attribute_updated",
            "event",
        ),
    ],
)
def test_each_field_has_an_event_behind_it(  # noqa: PLR0913 — a row of the table
    day: ConversationTracker, *, field: str, value: Any, before: Any, event: str, evidence: str
) -> None:
    found = why(day, field)
    assert (found.value, found.before) == (value, before)
    assert (found.event, found.evidence) == (event, evidence)


def test_the_event_is_that_of_the_moment(day: ConversationTracker) -> None:
    found = why(day, "assignee.name", as_of="2026-03-02T09:00:00Z")
    assert (found.value, found.before) == ("Ida Holm", None)
    assert (found.event, found.position, found.late) == ("conversation.assigned", 5, False)
    assert found.as_of == datetime(2026, 3, 2, 9, tzinfo=UTC)
    with pytest.raises(NotFoundError):
        why(day, "assignee", known_at="2026-03-02T09:00:00Z")


def test_a_field_that_there_is_not_is_refused_with_those_there_are(
    day: ConversationTracker,
) -> None:
    for field, expected in {
        "mood": "expected one of status, .*, got 'mood'",
        "assignee.mood": r"expected one of assignee\.id, .*, got 'assignee.mood'",
        "times.": r"expected one of times\.first_response_at, .*, got 'times.'",
        "status.open": "expected status, which has no parts, got 'status.open'",
        "sla.FirstResponse": "expected sla, which has no parts, got 'sla.FirstResponse'",
    }.items():
        with pytest.raises(InvalidInputError, match=f"field: {expected}"):
            why(day, field)


def test_a_tag_and_an_attribute_have_names_of_their_own(day: ConversationTracker) -> None:
    assert why(day, "tags.never").value is False
    assert why(day, "custom_attributes.never").value is None


def body(seconds: int, fqn: str, **conversation: Any) -> str:
    return json.dumps(
        {
            "event_id": f"{fqn}@{seconds}",
            "event_fqn": fqn,
            "event_timestamp": f"2026-03-02T08:00:{seconds:02}Z",
            "organization": {"id": ORGANIZATION},
            "data": {"conversation": {"csid": 70431, **conversation}},
        }
    )


@pytest.mark.parametrize(
    ("explained_after", "event", "evidence"),
    [
        (None, "conversation.note_added", "snapshot"),
        (5, "conversation.closed", "event"),
        (15, "conversation.note_added", "snapshot"),
    ],
)
def test_a_snapshot_is_the_evidence_unless_the_event_itself_follows_within_the_grace(
    sqlite_url: str, explained_after: int | None, event: str, evidence: str
) -> None:
    with open_tracker(sqlite_url) as tracker:
        tracker.append(body(0, "CONVERSATION_CREATED", status="OPEN"))
        tracker.append(body(20, "CONVERSATION_NOTE_ADDED", status="CLOSED"))
        if explained_after:
            tracker.append(body(20 + explained_after, "CONVERSATION_CLOSED", status="CLOSED"))
        found = why(tracker, "status")
        assert (found.value, found.before) == ("closed", "open")
        assert (found.event, found.evidence) == (event, evidence)


def test_who_sent_a_message_did_not_do_what_its_snapshot_shows(sqlite_url: str) -> None:
    with open_tracker(sqlite_url) as tracker:
        tracker.append(body(0, "CONVERSATION_CREATED", status="OPEN"))
        note = json.loads(body(20, "CONVERSATION_NOTE_ADDED", assignee={"id": "ida"}))
        note["data"]["author"] = {"id": "omar"}
        tracker.append(json.dumps(note))
        [*_, noted] = tracker.every(Timeline(csid=70431))
        assert noted.actor.id == "omar"
        found = why(tracker, "assignee")
        assert (found.event, found.evidence) == ("conversation.note_added", "snapshot")
        assert found.actor is None


def test_each_stored_webhook_has_a_verdict_on_its_signature(
    day: ConversationTracker, day_lines: list[bytes]
) -> None:
    found = list(day.every(StoredEvents(csid=70431)))
    assert [stored.verdict for stored in found[:3]] == ["valid", "mismatch", "unsigned"]
    first = day.ask(OneStoredEvent(position=1, organization=ORGANIZATION))
    assert first == found[0]
    assert first.body.encode() == day_lines[0]
    assert (first.subscription_id, first.stream) == ("s", f"conversation/{ORGANIZATION}/70431")
    assert why(day, "channel").verdict == "valid"


def test_without_a_secret_nothing_is_judged(day_lines: list[bytes], sqlite_url: str) -> None:
    with open_tracker(sqlite_url) as tracker:
        tracker.append(day_lines[0], signature=sign(day_lines[0], bytes.fromhex(KEY), t=1))
        assert tracker.ask(OneStoredEvent(position=1)).verdict == "unchecked"


@pytest.mark.parametrize("question", [{"position": 46}, {"position": 1, "organization": "other"}])
def test_a_position_without_an_event_is_not_found(
    day: ConversationTracker, question: dict[str, Any]
) -> None:
    with pytest.raises(NotFoundError, match=r"event |known organization"):
        day.ask(OneStoredEvent(**question))


def test_a_transition_says_who_held_the_conversation_then(day: ConversationTracker) -> None:
    one = list(day.every(ConversationTransitions(csid=70431)))
    names = [move.holder.name if move.holder else None for move in one]
    assert names == [None, "Ida Holm", "Ida Holm", "Omar Lind", "Omar Lind", "Omar Lind"]
    assert list(day.every(Transitions(csid=70431))) == one
    page = day.ask(Transitions(page_limit=1))
    day.append(body(59, "CONVERSATION_NOTE_ADDED"), received_at=datetime.now(UTC))
    again = day.ask(Transitions(page_limit=200, page_key=page.next_key))
    assert [*page.items, *again.items] == sorted(
        [*one, *day.every(Transitions(csid=70432))], key=lambda move: move.at
    )


def test_the_fields_are_those_of_the_answer_about_the_conversation(
    day: ConversationTracker,
) -> None:
    now = datetime.now(UTC)
    for step in day.timeline(70431):
        whole = describe(step.after, now=now).model_dump(mode="json")
        assert {name: field_value(step.after, name, now) for name in FIELDS} == {
            name: whole[name] for name in FIELDS
        }
