"""Bodies: whatever is admitted can be stored, read, folded, shown, and comes out byte for byte."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import TypeVar
from unittest.mock import patch

from differential import Place, judge_views, project_all
from grounds import Grounds
from pydantic_core import to_json
from targets import DATA, LONGEST_MESSAGE, Target

from dixa_state import Webhook
from dixa_state.dixa import body as dixa_body
from dixa_state.dixa.body import Identity, UnreadableError, identify, read_event
from dixa_state.dixa.streams import csid_of
from dixa_state.domain.conversation import Conversation, initial
from dixa_state.domain.events import Event
from dixa_state.domain.fold import evolve
from dixa_state.domain.states import as_kept, encode
from dixa_state.questions import describe
from dixa_state.store.append import Accepted, Rejected, prepare
from dixa_state.store.events import decode_state, encode_state
from dixa_state.views.rows import rows

T = TypeVar("T")

RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)
_BATCH = 200
_MOST_TIMES = 400
"""How many times as long as its body a state with its rows may be."""


class Bodies(Target):
    """Webhook bodies, from the door to the rows."""

    name = "bodies"
    patience = 30.0  # now and then a batch is stored on two real databases and projected

    def __init__(self, **urls: str) -> None:
        self._grounds = Grounds(**urls)
        self._history = [_event(body, n) for n, body in enumerate(_day(), start=1)]
        self._admitted: dict[bytes, None] = {}
        self._kept = 0
        self.largest = 0.0

    def close(self) -> None:
        self._grounds.close()

    def seeds(self) -> Sequence[bytes]:
        samples = [path.read_bytes() for path in sorted(DATA.glob("*.json"))]
        return _day() + [sample for sample in samples if b"event_fqn" in sample]

    def attempt(self, data: bytes) -> None:
        webhook = Webhook(data, RECEIVED, "a subscription", "a signature")
        prepared = prepare(webhook)
        try:
            admitted = identify(data)
        except UnreadableError as error:
            _refused(prepared, error)
            return
        assert isinstance(prepared, Accepted)
        assert (prepared.stream, prepared.topic) == (admitted.stream, admitted.topic)
        assert decode_state(encode_state(webhook)).body == data
        self._fold(data, admitted)
        self._admitted[data] = None
        if len(self._admitted) >= _BATCH:
            self._keep()

    def _fold(self, data: bytes, admitted: Identity) -> None:
        event = _event(data, 99, admitted.topic)
        assert _tolerantly(lambda: _event(data, 99, admitted.topic)) == event
        if not admitted.stream.startswith("conversation/"):
            return
        start = initial(admitted.organization_id, csid_of(admitted.stream))
        for events in ([event], [*self._history, event]):
            ordered = sorted(events, key=lambda one: one.order)
            self._show(admitted.stream, evolve(start, *ordered), len(data))

    def _show(self, stream: str, state: Conversation, length: int) -> None:
        kept = as_kept(state)
        assert encode(as_kept(kept)) == encode(kept)
        assert isinstance(kept, Conversation)
        made = list(rows(stream, kept))
        assert made == list(rows(stream, as_kept(kept)))
        document = to_json(describe(kept, now=RECEIVED), inf_nan_mode="null")
        shown = len(document) + sum(len(repr(row)) for row in made)
        self.largest = max(self.largest, shown / (length + 50_000))
        assert shown <= _MOST_TIMES * (length + 50_000), f"{shown} bytes of rows from {length}"

    def _keep(self) -> None:
        """Store all that was admitted since the last time, on both databases."""
        self._kept += 1
        for backend in ("sqlite", "postgres"):
            place = self._grounds.place(backend)  # type: ignore[arg-type]
            _store(place, list(self._admitted), Random(self._kept))
        self._admitted.clear()

    def conclude(self) -> Iterator[str]:
        """Keep the rest; then verify everything on both databases."""
        if self._admitted:
            self._keep()
        yield from self._grounds.verify()


def _refused(prepared: Accepted | Rejected, error: UnreadableError) -> None:
    assert isinstance(prepared, Rejected)
    assert prepared.problem == error.problem
    assert len(str(error)) <= LONGEST_MESSAGE, f"a reason of {len(str(error))} characters"
    str(error).encode()


def _store(place: Place, bodies: list[bytes], dice: Random) -> None:
    tracker = place[0]
    outcomes = tracker.append_many([Webhook(body, RECEIVED) for body in bodies])
    streams = set()
    for body, outcome in zip(bodies, outcomes, strict=True):
        if outcome.kind == "appended":
            [stored] = tracker.event_recorder.select_notifications(outcome.position, 1)
            assert decode_state(stored.state).body == body
            streams.add(str(stored.originator_id))
        else:  # the same event id with another content, most of the time
            assert outcome.kind == "duplicate" or (outcome.reason or "").startswith("event_id: ")
    again = tracker.append_many([Webhook(body, RECEIVED) for body in bodies])
    assert not any(outcome.kind == "appended" for outcome in again)
    project_all(place, dice)
    with place[1].transaction() as connection:
        assert connection.run("SELECT * FROM poison") == []
    judge_views(place, sorted(streams))


def _day() -> list[bytes]:
    return (DATA / "day.jsonl").read_bytes().splitlines()


def _event(body: bytes, position: int, topic: str | None = None) -> Event:
    return read_event(
        body,
        topic=topic or identify(body).topic,
        received_at=RECEIVED,
        version=position,
        position=position,
    )


def _tolerantly(read: Callable[[], T]) -> T:
    """Read as if no body were spelled as documented; both readers must agree."""
    with patch.object(dixa_body, "decode", lambda *_: None):
        return read()
