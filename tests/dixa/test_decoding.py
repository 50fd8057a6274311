"""A body that is decoded fast says what the models say, whatever has become of it."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dixa_state.dixa import reading
from dixa_state.dixa.decoding import Body, decode
from dixa_state.dixa.payloads import Envelope

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = {path.stem: json.loads(path.read_text()) for path in sorted(DATA.glob("*_*.json"))}
NOW = datetime(2026, 3, 2, 13, tzinfo=UTC)

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers()), max_size=3),
    st.dictionaries(st.sampled_from(["id", "name", "displayName", "x"]), st.text(max_size=3)),
)
NAMES = ["userType", "displayName", "phoneNumber", "contactPoint", "createdAt", "id", "newField"]


def read(body: bytes, read_body: Callable[[bytes], Any]) -> Any:
    """Read a body by one of the ways; an error counts as what it says."""
    chosen, reading.decode = reading.decode, read_body  # type: ignore[assignment]
    try:
        topic = reading.admit(body).topic
        return reading.read_event(body, topic=topic, received_at=NOW, version=1, position=1)
    except (reading.UnreadableError, ValidationError) as error:
        return type(error), str(error)
    finally:
        reading.decode = chosen


def places(document: Any) -> list[tuple[Any, Any]]:
    """List every place in a document: what holds it, and under which name."""
    found: list[tuple[Any, Any]] = []
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in items:
        found.append((document, name))
        if isinstance(value, dict | list):
            found += places(value)
    return found


@settings(max_examples=1_500)
@given(data=st.data())
def test_a_body_reads_the_same_fast_as_by_the_models(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(sorted(EXAMPLES)))
    document = json.loads(json.dumps(EXAMPLES[example]))
    for _ in range(data.draw(st.integers(0, 3))):
        holder, name = data.draw(st.sampled_from(places(document)))
        match data.draw(st.sampled_from(["change", "drop", "add"])):
            case "change":
                holder[name] = data.draw(ODD)
            case "drop" if isinstance(holder, dict):
                holder.pop(name, None)
            case "add" if isinstance(holder, dict):
                holder[data.draw(st.sampled_from(NAMES))] = data.draw(ODD)
    body = json.dumps(document).encode()
    assert read(body, decode) == read(body, Envelope.model_validate_json)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_decoded_fast(name: str) -> None:
    assert isinstance(decode((DATA / f"{name}.json").read_bytes()), Body)


@pytest.mark.parametrize(
    "data",
    [
        '{"conversation": {"csid": 1, "status": 5}}',
        '{"conversation": {"csid": 1, "requester": {"userType": "Contact"}}}',
        '{"conversation": {"csid": 1, "tags": [5]}}',
        '{"conversation": {"csid": 1, "new": true, "score": 5}}',
        '{"conversation": [1]}',
        '{"conversation": null}',
        '{"conversation": {"csid": 1}, "messageId": "m", "message_id": null}',
        '{"conversation": {"csid": 1}, "message_id": "m", "messageId": "n"}',
        '{"conversation": {"csid": 1}, "messageId": "m", "author": {"id": 5, "userType": "x"}}',
        '{"conversation": {"csid": 1}, "direction": 1e400}',
        '"nothing"',
    ],
)
def test_what_does_not_fit_exactly_reads_as_by_the_models(data: str) -> None:
    head = '"event_id": "e", "event_timestamp": "2026-03-02T08:00:00Z"'
    for fqn in ("CONVERSATION_MESSAGE_ADDED", "CONVERSATION_RATED", "CONVERSATION_ASSIGNED"):
        body = f'{{{head}, "event_fqn": "{fqn}", "data": {data}}}'.encode()
        assert read(body, decode) == read(body, Envelope.model_validate_json)


def test_an_envelope_that_does_not_fit_exactly_is_read_by_the_models() -> None:
    head = '"event_id": "e", "event_fqn": "X", "event_timestamp": "t"'
    assert isinstance(decode(f'{{{head}, "data": "nothing"}}'.encode()), Envelope)
    assert isinstance(decode(f'{{{head}, "organization": {{"id": 5}}}}'.encode()), Envelope)


ODD_BYTES = [
    *(b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\xc3\xa6", b"\x01"),
    *(b"NaN", b"-Infinity", b"1e400", b"01", b"-0", b"null", b'"', b",", b":", b"\\", b"{", b"]"),
    *(b"9" * digits for digits in (30, 4_299, 4_300, 4_301)),
    *(b"[" * depth + b"]" * depth for depth in (90, 190, 200, 300)),
    *(b'"csid":null,', b'"csid":1.0,', b'"event_id":"",', b'"organization":5,', b'"data":{},'),
]


def judged(body: bytes) -> Any:
    try:
        return reading.admit(body)
    except reading.UnreadableError as error:
        return error.problem, str(error), error.event_id


@settings(max_examples=1_500)
@given(data=st.data())
def test_a_body_is_judged_the_same_by_its_address_as_by_all_of_it(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(sorted(EXAMPLES)))
    body = json.dumps(EXAMPLES[example], separators=(",", ":")).encode()
    for _ in range(data.draw(st.integers(0, 2))):
        ends = [place.end() for place in re.finditer(rb"[{,:\[]", body)]
        here = data.draw(st.sampled_from(ends) | st.integers(0, len(body)))
        rest = body[here:]
        if data.draw(st.booleans()):
            rest = re.sub(rb'\A("[^"]*"|[^",\]}]*)', b"", rest)
        body = body[:here] + data.draw(st.sampled_from(ODD_BYTES)) + rest
    with patch.object(reading, "address", lambda _: None):
        expected = judged(body)
    assert judged(body) == expected
