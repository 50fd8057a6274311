"""The projector: any history, in any steps, leads to the rows of its states; nothing stops it."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from contract.test_state import webhooks
from eventsourcing.persistence import Notification
from hypothesis import given, settings
from hypothesis import strategies as st
from projections import (
    HOME,
    Place,
    deliver,
    findings,
    opened,
    plain,
    project,
    replay,
    rows,
    until,
)

from dixa_state import ConversationTracker
from dixa_state.bootstrap import open_views
from dixa_state.dixa.catalog import TYPES
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.states import as_kept, encode
from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector
from dixa_state.views.rows import rows as rows_of
from dixa_state.views.tables import group

banned = st.sampled_from(["AGENT_BANNED_ENDUSER", "AGENT_UNBANNED_ENDUSER"])
_histories = st.lists(webhooks(), min_size=1, max_size=14, unique_by=lambda one: one["event_id"])


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Give webhooks of three conversations and of an end user, in the order of their arrival."""
    history = draw(_histories)
    for webhook in history:
        if draw(st.integers(0, 5)) == 0:
            webhook["event_fqn"] = draw(banned)
            webhook["data"] = {"user": {"id": "user-1", "email": "user1@example.com"}}
        else:
            webhook["data"]["conversation"]["csid"] = draw(st.integers(1, 3))
    return history


def streams_of(place: Place, organization: str) -> Iterator[str]:
    for kind in ("conversation", "enduser"):
        yield from place[0].event_recorder.select_streams(f"{kind}/{organization}/")


def folded(tracker: ConversationTracker, stream: str) -> Conversation | Ban:
    """Give the state of a stream, from the tracker's own fold, whatever the views hold."""
    kind, organization, name = stream.split("/")
    if kind == "conversation":
        return tracker.conversation(int(name), organization=organization, up_to=2**63 - 1)
    [ban] = [ban for ban in tracker.bans() if ban.organization_id == organization]
    return ban


def shown(views: Views, stream: str) -> dict[str, list[tuple[Any, ...]]]:
    return {table: some for table, some in rows(views, stream).items() if some}


def expected(tracker: ConversationTracker, stream: str) -> dict[str, list[tuple[Any, ...]]]:
    made = group(rows_of(stream, as_kept(folded(tracker, stream))))
    return {table: sorted(map(plain, some), key=repr) for table, some in made.items()}


def test_any_history_projected_in_any_steps_gives_the_rows_of_its_states_and_of_a_replay(
    store_url: str,
) -> None:
    organizations = (f"org-{number}" for number in count())

    @given(history=histories(), data=st.data())
    @settings(max_examples=settings().max_examples // 2)
    def any_history(history: list[dict[str, Any]], data: st.DataObject) -> None:
        organization = {"organization": {"id": (name := next(organizations))}}
        waiting = [json.dumps(webhook | organization).encode() for webhook in history]
        views = place[1]
        size = data.draw(st.integers(1, 5), "batch size")
        projector = Projector(*place, batch_size=size)
        while waiting:
            some = data.draw(st.integers(1, len(waiting)), "append")
            deliver(place[0], waiting[:some])
            del waiting[:some]
            for anew in data.draw(st.lists(st.sampled_from([False, False, True])), "steps, anew"):
                if anew:
                    views = open_views(place[0].event_recorder)
                    projector = Projector(place[0], views, batch_size=size)
                projector.step()
        project((place[0], views))
        for stream in streams_of(place, name):
            assert shown(views, stream) == expected(place[0], stream)

    with opened(store_url) as place:
        any_history()
        live = rows(place[1])
        before = place[1].progress()
        replay(store_url, place)
        assert rows(place[1]) == live
        assert place[1].progress().position == before.position
        assert findings(store_url, place) == []


def test_a_page_that_another_projector_has_written_is_not_written_again(
    store_url: str, day_lines: list[bytes]
) -> None:
    """Two that take themselves for the leader do no harm: each page is written once."""
    with opened(store_url) as place:
        deliver(place[0], day_lines)
        together = Barrier(3)

        def race() -> None:
            with opened(store_url) as own:
                projector = Projector(*own, batch_size=2)
                together.wait()
                while projector.step():
                    pass

        threads = [Thread(target=race) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert place[1].progress().position == 45
        assert findings(store_url, place) == []


def test_many_that_open_a_new_store_at_once_make_its_views_once(store_url: str) -> None:
    together = Barrier(6)
    positions: list[int] = []

    def open_it() -> None:
        together.wait()
        with opened(store_url) as (_, views):
            positions.append(views.progress().position)

    threads = [Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert positions == [0] * 6


def fail(**_: object) -> Any:
    raise ValueError("no reader for this\0")


FAILING = TYPES["conversation.note_added"]._replace(fact=fail)


def test_an_event_that_cannot_be_folded_is_recorded_and_skipped_and_the_world_goes_on(
    store_url: str, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(store_url) as place:
        monkeypatch.setitem(TYPES, "conversation.note_added", FAILING)
        deliver(place[0], day_lines)
        project(place, batch_size=3)
        [note] = [
            event
            for event in place[0].event_recorder.select_notifications(1, 99)
            if event.topic == "conversation.note_added"
        ]
        assert rows(place[1])["poison"] == [
            (note.id, note.originator_id, note.topic, "ValueError: no reader for this")
        ]
        assert place[1].progress().position == 45
        assert findings(store_url, place) == []  # the fold skips it too
        monkeypatch.undo()
        assert [found.where for found in findings(store_url, place)] == [
            f"conversations of {note.originator_id}"
        ] * 2
        replay(store_url, place)
        assert rows(place[1])["poison"] == []
        assert findings(store_url, place) == []


def test_a_page_of_large_webhooks_ends_sooner(store_url: str, data: Path) -> None:
    note = (data / "conversation_note_added.json").read_bytes()
    filler = b'"data": {"filler": "%s",' % (b"x" * 100_000)
    large = [
        note.replace(b'"data": {', filler).replace(b'"event_id": "', b'"event_id": "%d-' % number)
        for number in range(250)
    ]
    with opened(store_url) as place:
        deliver(place[0], large)
        assert [Projector(*place).step() for _ in range(4)] == [100, 200, 250, None]
        assert findings(store_url, place) == []


def test_numbers_of_any_size_have_rows(store_url: str, data: Path) -> None:
    numbers = [2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 0.1, -0.0]
    with opened(store_url) as place:
        for csid, number in enumerate(numbers, 1):
            told = json.dumps(number)
            bodies = [
                (data / f"conversation_{name}.json")
                .read_text()
                .replace('"event_id": "', f'"event_id": "{csid}-')
                .replace('"csid": 70431', f'"csid": {csid}')
                .replace('"AU-1187"', told)
                .replace('"score": 5', f'"score": {told}')
                .encode()
                for name in ("custom_attribute_updated", "rated")
            ]
            deliver(place[0], bodies)
        project(place)
        assert rows(place[1])["poison"] == []
        assert findings(store_url, place) == []
        for csid, number in enumerate(numbers, 1):
            state = place[0].conversation(csid)
            assert state.custom_attributes == {"order_number": number}
            assert state.ratings[0].score == float(number)
            folded = place[0].conversation(csid, up_to=2 * csid)
            assert encode(state) == encode(folded)


def test_a_stream_of_which_nothing_can_be_folded_has_no_rows(
    store_url: str, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(store_url) as place:
        for topic in TYPES:
            monkeypatch.setitem(TYPES, topic, FAILING)
        deliver(place[0], day_lines)
        project(place, batch_size=7)
        found = rows(place[1])
        assert [position for position, *_ in found.pop("poison")] == sorted(range(1, 46), key=repr)
        assert not any(found.values())


def test_a_running_projector_follows_and_stops_when_told(
    store_url: str, day_lines: list[bytes]
) -> None:
    stop = Event()
    told: list[int] = []

    def run() -> None:
        with opened(store_url) as own:
            Projector(*own).run(stop, lambda at: told.append(at) if at else None)

    with opened(store_url) as place:
        thread = Thread(target=run)
        thread.start()
        for start in range(0, 45, 15):
            deliver(place[0], day_lines[start : start + 15])
            until(lambda reached=start + 15: place[1].progress().position == reached)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        assert told == sorted(set(told))
        assert told[-1] == 45
        deliver(place[0], [line.replace(HOME, b"other") for line in day_lines])
        project(place)  # the lead is free again
        assert place[1].progress().position == 90


def test_catching_up_leaves_it_to_the_projector_that_is_at_work(
    store_url: str, day_lines: list[bytes]
) -> None:
    with opened(store_url) as place, opened(store_url) as other:
        deliver(place[0], day_lines)
        with other[1].leading("projector") as lead:
            assert lead is not None
            assert Projector(*place).catch_up() is False
        assert place[1].progress().position == 0
        assert Projector(*place).catch_up() is True
        assert place[1].progress().position == 45


def test_a_catch_up_meets_a_switch_without_harm(store_url: str, day_lines: list[bytes]) -> None:
    """Between reading where the views are and folding, a replay may have dropped those views."""
    with opened(store_url) as place, opened(store_url) as other:
        deliver(place[0], day_lines)
        done = Event()

        def replays() -> None:
            for _ in range(6):
                replay(store_url, other)
            done.set()

        thread = Thread(target=replays)
        thread.start()
        for number in count(1):
            if done.is_set():
                break
            deliver(place[0], [line.replace(HOME, b"org-%d" % number) for line in day_lines[:5]])
            project(place, batch_size=2)
        thread.join()
        project(place)
        assert findings(store_url, place) == []


def test_states_in_tables_that_a_replay_has_just_dropped_are_missing_and_no_error(
    store_url: str, day_lines: list[bytes]
) -> None:
    class Overtaken(Projector):
        def _next(self, position: int) -> list[Notification]:
            replay(store_url, other)
            return super()._next(position)

    with opened(store_url) as place, opened(store_url) as other:
        deliver(place[0], day_lines[:20])
        project(place)
        deliver(place[0], day_lines[20:])
        assert Overtaken(*place).step() == 45
        assert place[1].progress().generation == 2
        assert findings(store_url, place) == []


def test_the_lead_that_was_given_back_can_be_taken_at_once(store_url: str) -> None:
    with opened(store_url) as (_, views):
        for _ in range(50):
            with views.leading("projector") as lead:
                assert lead is not None
