"""A state is taken from the views where they have every event in it, and folded otherwise."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NoReturn

import pytest
from projections import HOME, Place, days, deliver, opened, project, replay

from dixa_state import AmbiguousError, ConversationTracker, NotFoundError, UnfoldableEventError
from dixa_state.dixa.catalog import TYPES
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.states import encode
from dixa_state.questions import OneConversation, Reader


@pytest.fixture
def place(store_url: str) -> Iterator[Place]:
    with opened(store_url) as place:
        yield place


def csids(tracker: ConversationTracker) -> list[int]:
    streams = tracker.event_recorder.select_streams("conversation/")
    return sorted({int(stream.rpartition("/")[2]) for stream in streams})


def state_of(place: Place, csid: int, organization: str | None = None) -> Conversation:
    return OneConversation(csid=csid, organization=organization).state(Reader(*place))


def is_folded(place: Place, monkeypatch: pytest.MonkeyPatch, csid: int) -> bool:
    """Return whether the events of a conversation are read when its state is asked for."""
    tracker, _ = place
    reads: list[str] = []
    select = tracker.event_recorder.select_stream
    with monkeypatch.context() as patched:
        patched.setattr(
            tracker.event_recorder, "select_stream", lambda name: reads.append(name) or select(name)
        )
        state_of(place, csid)
    return bool(reads)


def test_views_that_have_all_events_give_the_state_that_a_fold_gives(
    place: Place, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, _ = place
    deliver(tracker, day_lines)
    project(place)
    for csid in csids(tracker):
        assert not is_folded(place, monkeypatch, csid)
        folded = tracker.conversation(csid)
        assert encode(state_of(place, csid)) == encode(folded)
        named = state_of(place, csid, folded.organization_id)
        assert encode(named) == encode(folded)


def test_an_event_that_the_views_do_not_have_yet_is_in_the_state_all_the_same(
    place: Place, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, _ = place
    for number, line in enumerate(day_lines):
        deliver(tracker, [line])
        if number % 3 == 0:
            project(place)
        for csid in csids(tracker):
            state = state_of(place, csid)
            assert encode(tracker.conversation(csid)) == encode(state)
    project(place)
    [csid, *others] = csids(tracker)
    deliver(tracker, [day_lines[0].replace(b'"event_id":"', b'"event_id":"new-')])
    assert [is_folded(place, monkeypatch, one) for one in csids(tracker)].count(True) == 1
    assert others


def test_views_that_are_far_behind_are_not_looked_at(
    place: Place, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, _ = place
    deliver(tracker, day_lines)
    project(place)
    [csid, *_] = csids(tracker)
    others = [line.replace(b"7043", b"9043") for line in day_lines]
    for day in days(others, 22):
        deliver(tracker, day)
    assert not is_folded(place, monkeypatch, csid)
    for day in days(others, 2, first=22):
        deliver(tracker, day)
    assert is_folded(place, monkeypatch, csid)


def test_views_without_rows_are_not_looked_at(
    place: Place, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(place[0], day_lines)
    assert all(is_folded(place, monkeypatch, csid) for csid in csids(place[0]))


def test_views_of_another_version_are_not_believed(
    place: Place, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, views = place
    deliver(tracker, day_lines)
    project(place)
    with views.transaction(write=True) as connection:
        connection.run("UPDATE projection SET view_version = 0")
    assert all(is_folded(place, monkeypatch, csid) for csid in csids(tracker))


@pytest.mark.parametrize(("projected", "asked"), [(3, 3), (3, 10), (10, 3)])
def test_rows_are_believed_by_those_who_go_by_the_same_grace(
    store_url: str,
    day_lines: list[bytes],
    projected: int,
    asked: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with opened(store_url, grace=timedelta(seconds=projected)) as place:
        deliver(place[0], day_lines)
        project(place)
    with opened(store_url, grace=timedelta(seconds=asked)) as place:
        for csid in csids(place[0]):
            assert is_folded(place, monkeypatch, csid) is (projected != asked)


def test_rows_that_were_made_with_several_graces_are_believed_by_nobody(
    store_url: str, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds, part in ((3, slice(0, 20)), (10, slice(20, None))):
        with opened(store_url, grace=timedelta(seconds=seconds)) as place:
            deliver(place[0], day_lines[part])
            project(place)
    with opened(store_url) as place:
        csid = csids(place[0])[0]
        assert is_folded(place, monkeypatch, csid)
        replay(store_url, place)
        assert not is_folded(place, monkeypatch, csid)


def test_an_event_that_cannot_be_folded_is_missing_in_no_answer(
    place: Place, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> NoReturn:
        raise ValueError("no reader for this")

    failing = TYPES["conversation.note_added"]._replace(fact=fail)

    tracker, _ = place
    deliver(tracker, day_lines)
    monkeypatch.setitem(TYPES, "conversation.note_added", failing)
    project(place)
    [csid] = [
        int(event.originator_id.rpartition("/")[2])
        for event in tracker.event_recorder.select_notifications(1, 99)
        if event.topic == "conversation.note_added"
    ]
    with pytest.raises(UnfoldableEventError, match="no reader"):
        state_of(place, csid)


def test_a_number_is_looked_for_in_every_organization(place: Place, day_lines: list[bytes]) -> None:
    tracker, _ = place
    for day in [*days(day_lines, 11), [line.replace(HOME, b"9") for line in day_lines]]:
        deliver(tracker, day)
    csid = csids(tracker)[0]
    with pytest.raises(AmbiguousError, match="got 12"):
        state_of(place, csid)
    project(place)
    with pytest.raises(AmbiguousError, match="got 12"):
        state_of(place, csid)
    assert state_of(place, csid, "9").organization_id == "9"
    with pytest.raises(NotFoundError):
        state_of(place, csid, "org-12")
    with pytest.raises(NotFoundError):
        state_of(place, 9)
