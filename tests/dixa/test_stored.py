"""The state of a stored event: written as it always was, and read back in one pass or in two."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from eventsourcing.persistence import JSONTranscoder, StoredEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from dixa_state.dixa.body import identify, read_event
from dixa_state.domain.timestamps import format_time
from dixa_state.store.append import digest, event_key, prepare, storable
from dixa_state.store.events import Webhook, decode_state, encode_state
from dixa_state.tracker import WebhookMapper

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = sorted(DATA.glob("*_*.json"))
NOW = datetime(2026, 3, 2, 13, tzinfo=UTC)
TIMES = st.datetimes(timezones=st.just(UTC))
TEXTS = st.none() | st.text()


@given(TIMES, TEXTS, TEXTS, st.sampled_from([b"{}", b'{ "a" : "\xc3\xa6" }\n', b""]))
def test_a_state_is_one_json_object_with_the_body_byte_for_byte(
    time: datetime, subscription: str | None, signature: str | None, body: bytes
) -> None:
    head = {
        "received_at": format_time(time),
        "subscription_id": subscription,
        "signature": signature,
    }
    state = encode_state(Webhook(body, time, subscription, signature))

    assert state == to_json(head)[:-1] + b',"body":' + body + b"}"
    assert decode_state(state) == Webhook(body, time, subscription, signature)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_event_is_read_from_its_state_as_from_its_body(path: Path) -> None:
    body = path.read_bytes()
    topic, stream = identify(body).topic, identify(body).stream
    state = encode_state(Webhook(body, NOW, "s", 'it is "body":'))

    event = WebhookMapper(JSONTranscoder()).to_domain_event(StoredEvent(stream, 3, topic, state))

    whole = read_event(body, topic=topic, received_at=NOW, version=3, position=0)
    assert event == whole
    assert event.received_at.tzinfo == UTC


@given(TEXTS, st.text())
def test_the_key_of_an_event_stays(organization: str | None, event: str) -> None:
    assert event_key(organization, event) == digest(to_json([organization, event]))


@given(TIMES)
def test_a_time_is_written_as_python_writes_it(time: datetime) -> None:
    precision = "microseconds" if time.microsecond % 1000 else "milliseconds"
    assert format_time(time) == time.isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def test_what_came_with_a_body_is_cleaned() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    kept = prepare(Webhook(b"", there, "a\0b", "\ud800")).webhook

    assert kept == Webhook(b"", NOW, "a\N{REPLACEMENT CHARACTER}b", "?")
    assert kept.received_at.tzinfo is UTC
    assert [storable(text) for text in (None, "plain", "æ\0")] == [None, "plain", "æ\ufffd"]
