"""An event that cannot be folded: recorded live, an error by name, the end of a replay."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from projections import Place, deliver, findings, opened, project, replay, rows

from dixa_state import UnfoldableEventError
from dixa_state import fold as folding
from dixa_state.cli import run
from dixa_state.dixa.catalog import TYPES
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import Event, Rated
from dixa_state.domain.fold import evolve
from dixa_state.questions import Conversations, OneConversation, Reader
from dixa_state.views.projector import Projector

CSID = 70431
LATER = datetime(2026, 3, 3, tzinfo=UTC)
MESSAGE = r"^event \d+ of conversation/[^ ]+/70431 cannot be folded: ValueError: no way to do it$"


def fail(**_: object) -> NoReturn:
    raise ValueError("no way\nto do it\0")


def evolve_unless_rated(state: Conversation, event: Event, **options: Any) -> Conversation:
    if isinstance(event.fact, Rated):
        fail()
    return evolve(state, event, **options)


@pytest.fixture(params=["read", "folded"])
def poisoned(
    request: pytest.FixtureRequest,
    store_url: str,
    day_lines: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[str, Place]]:
    """A day with an event that can be stored, but not be read, or not be folded."""
    with opened(store_url) as place:
        deliver(place[0], day_lines)
        if request.param == "read":
            failing = TYPES["conversation.rated"]._replace(fact=fail)
            monkeypatch.setitem(TYPES, "conversation.rated", failing)
        else:
            monkeypatch.setattr(folding, "evolve", evolve_unless_rated)
        yield store_url, place


def test_what_asks_for_a_conversation_by_name_names_the_event(poisoned: tuple[str, Place]) -> None:
    tracker, _ = place = poisoned[1]
    project(place)
    reader = Reader(*place)
    for ask in (
        lambda: tracker.conversation(CSID),
        lambda: tracker.transitions(CSID),
        lambda: list(tracker.timeline(CSID)),
        lambda: reader.ask(OneConversation(csid=CSID)),
        lambda: reader.ask(Conversations(as_of=LATER)),
    ):
        with pytest.raises(UnfoldableEventError, match=MESSAGE):
            ask()


def test_a_command_that_meets_it_ends_with_1_and_one_line(
    poisoned: tuple[str, Place], capsys: pytest.CaptureFixture[str]
) -> None:
    url, place = poisoned
    project(place)
    listing = ["list", "--as-of", LATER.isoformat()]
    for command in (["status", str(CSID)], ["timeline", str(CSID)], listing):
        assert run([*command, "--store", url]) == 1
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith("dixa-state: event ")
        assert last.endswith("cannot be folded: ValueError: no way to do it")


def test_the_projector_records_it_and_goes_on_and_verify_agrees(
    poisoned: tuple[str, Place],
) -> None:
    url, place = poisoned
    project(place, batch_size=3)
    found = rows(place[1])["poison"]
    assert {error for *_, error in found} == {"ValueError: no way to do it"}
    assert place[1].progress().position == 45
    assert Reader(*place).ask(Conversations()).items
    assert findings(url, place) == []


def test_an_event_that_comes_late_goes_between_those_around_it(
    poisoned: tuple[str, Place], day_lines: list[bytes]
) -> None:
    url, place = poisoned
    projector = Projector(*place)
    while projector.step():
        pass
    for number, line in enumerate(reversed(day_lines)):
        deliver(place[0], [line.replace(b'"event_id":"', b'"event_id":"%d-' % number)])
        projector.step()
    assert {error for *_, error in rows(place[1])["poison"]} == {"ValueError: no way to do it"}
    assert findings(url, place) == []


def test_a_replay_stops_and_leaves_the_views_as_they_were(poisoned: tuple[str, Place]) -> None:
    url, place = poisoned
    project(place)
    before = rows(place[1])
    with pytest.raises(UnfoldableEventError, match="cannot be folded: ValueError"):
        replay(url, place)
    assert rows(place[1]) == before
