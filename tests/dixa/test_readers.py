"""A body that the strict reader accepts says the same to the tolerant one, which reads any body."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dixa_state.dixa import body as reading
from dixa_state.dixa.body import UnreadableError, decode, identify, read_event
from dixa_state.dixa.catalog import lookup
from dixa_state.domain.events import Event

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = {path.stem: path.read_bytes() for path in sorted(DATA.glob("*_*.json"))}
RECEIVED = datetime(2026, 3, 2, 13, tzinfo=UTC)

PLAUSIBLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.just([]),
    st.lists(st.one_of(st.none(), st.text(max_size=3), st.integers()), max_size=3),
    st.dictionaries(st.sampled_from(["id", "name", "displayName", "x"]), st.text(max_size=3)),
)
NAMES = ["userType", "displayName", "phoneNumber", "contactPoint", "id", "score", "author", "new"]


def places(document: Any) -> list[tuple[Any, Any]]:
    """List every place in a document: what holds it, and under which name."""
    found: list[tuple[Any, Any]] = []
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for name, value in items:
        found.append((document, name))
        if isinstance(value, dict | list):
            found += places(value)
    return found


def read(body: bytes, topic: str) -> Event:
    return read_event(body, topic=topic, received_at=RECEIVED, version=1, position=1)


def tolerantly(body: bytes, topic: str) -> Event:
    with patch.object(reading, "decode", lambda *_: None):
        return read(body, topic)


@settings(max_examples=1_500)
@given(st.data())
def test_both_readers_read_the_same(data: st.DataObject) -> None:
    document = json.loads(EXAMPLES[data.draw(st.sampled_from(sorted(EXAMPLES)))])
    for _ in range(data.draw(st.integers(0, 3))):
        holder, name = data.draw(st.sampled_from(places(document)))
        match data.draw(st.sampled_from(["change", "drop", "add"])):
            case "change":
                holder[name] = data.draw(PLAUSIBLE)
            case "drop" if isinstance(holder, dict):
                holder.pop(name, None)
            case "add" if isinstance(holder, dict):
                holder[data.draw(st.sampled_from(NAMES))] = data.draw(PLAUSIBLE)
    body = json.dumps(document).encode()
    try:
        topic = identify(body).topic
    except UnreadableError:
        return
    assert read(body, topic) == tolerantly(body, topic)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_read_strictly(name: str) -> None:
    event_type = lookup(json.loads(EXAMPLES[name])["event_fqn"])
    assert event_type is not None
    assert decode(EXAMPLES[name], event_type) is not None
