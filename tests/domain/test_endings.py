"""One ending, whether Dixa sends CLOSED, ABANDONED or both of it."""

from datetime import timedelta
from itertools import permutations

import pytest
from story import (
    ANNA,
    CSID,
    LOGISTICS,
    ORGANIZATION,
    SUPPORT,
    after,
    at,
    clock,
    transitions,
    visits,
)

from dixa_state.domain.conversation import Conversation, initial, missed
from dixa_state.domain.events import (
    Abandoned,
    Assigned,
    Closed,
    Created,
    Enqueued,
    Event,
    FollowUpExpired,
    NoteAdded,
    Rated,
    Reopened,
    Snapshot,
)
from dixa_state.domain.fold import evolve
from dixa_state.domain.metrics import durations

CREATED = at("08:00", Created(), shows=Snapshot(created_at=clock("08:00")))
WAITING = CREATED, at("08:01", Enqueued(queue=SUPPORT))


def closed(time: str) -> Event:
    return at(time, Closed(), shows=Snapshot(status="CLOSED", assignee=None))


def abandoned(time: str) -> Event:
    shown = Snapshot(status="CLOSED", assignee=None)
    return at(time, Abandoned(queue=SUPPORT), by=ANNA, shows=shown)


def is_one_abandonment(state: Conversation, time: str, event_id: str) -> None:
    assert transitions(state) == [(None, "open", "08:00"), ("open", "abandoned", time)]
    ending = state.life.transitions[-1]
    assert (ending.event_id, ending.irregular, ending.inferred) == (event_id, None, False)
    assert missed(state) == []
    assert state.life.summary.first_closed_at is None
    measured = durations(state, clock("10:00"))
    assert (measured.first_resolution, measured.full_resolution) == (None, None)
    assert measured.in_status["closed"] == 0
    assert visits(state) == [("Support", "08:01", time, "abandoned")]


@pytest.mark.parametrize("lag", ["09:00", "09:00:00.005", "09:00:10"])
def test_abandoned_and_then_closed_within_the_grace_is_one_abandonment(lag: str) -> None:
    state = after(*WAITING, abandoned("09:00"), closed(lag))
    is_one_abandonment(state, "09:00", "Abandoned@09:00")


@pytest.mark.parametrize("lag", ["09:00", "09:00:00.005", "09:00:10"])
def test_closed_and_then_abandoned_within_the_grace_is_one_abandonment_at_the_earlier_time(
    lag: str,
) -> None:
    state = after(*WAITING, closed("09:00"), abandoned(lag))
    is_one_abandonment(state, "09:00", f"Abandoned@{lag}")
    assert state.life.transitions[-1].actor == ANNA


def test_one_ending_is_the_same_in_any_order_of_arrival() -> None:
    ending = closed("09:00"), abandoned("09:00:00.005")
    states = [after(*WAITING, *order) for order in permutations(ending)]
    assert [transitions(state) for state in states] == [transitions(states[0])] * 2


def test_a_snapshot_that_showed_the_end_a_moment_before_leaves_it_one_ending() -> None:
    seen_closed = at("08:59:59", NoteAdded(), shows=Snapshot(status="CLOSED"))
    state = after(*WAITING, seen_closed, abandoned("09:00"), closed("09:00:00.005"))
    is_one_abandonment(state, "09:00", "Abandoned@09:00")


def test_beyond_the_grace_abandoned_and_closed_are_two_endings() -> None:
    state = after(*WAITING, abandoned("09:00"), closed("09:00:10.001"))
    assert transitions(state)[1:] == [
        ("open", "abandoned", "09:00"),
        ("abandoned", "closed", "09:00:10.001"),
    ]
    assert state.life.transitions[-1].irregular == "unexpected_from"
    assert [loss.proof for loss in missed(state)] == ["unexpected"]


def test_one_ending_is_abandoned_with_an_assignee_only_where_its_own_snapshot_shows_one() -> None:
    assigned = *WAITING, at("08:02", Assigned(agent=ANNA))
    shown = at("09:00:01", Abandoned(), shows=Snapshot(status="CLOSED", assignee=ANNA))
    with_agent = after(*assigned, at("09:00", Closed()), shown)
    assert with_agent.life.transitions[-1].irregular == "abandoned_with_assignee"
    without = after(*assigned, at("09:00", Closed()), abandoned("09:00:01"))
    assert without.life.transitions[-1].irregular is None


def test_an_abandoned_conversation_that_goes_on_can_be_closed() -> None:
    state = after(*WAITING, abandoned("09:00"), closed("09:00:01"), at("09:00:02", Reopened()))
    assert state.life.status == "open"
    state = after(*WAITING, abandoned("09:00"), at("09:30", Reopened()), closed("10:00"))
    assert [one[1] for one in transitions(state)] == ["open", "abandoned", "open", "closed"]
    assert state.life.summary.irregular == 0


def test_an_expired_follow_up_on_a_closed_conversation_is_no_ending_of_its_own() -> None:
    expired = at("09:00:05", FollowUpExpired(), shows=Snapshot(status="CLOSED"))
    assert transitions(after(CREATED, closed("09:00"), expired))[1:] == [
        ("open", "closed", "09:00")
    ]
    late = at("10:00", FollowUpExpired(), shows=Snapshot(status="CLOSED"))
    state = after(CREATED, closed("09:00"), late)
    assert (transitions(state)[1:], missed(state)) == ([("open", "closed", "09:00")], [])


def test_the_queue_that_an_abandonment_names_is_where_the_wait_ended() -> None:
    state = after(
        CREATED,
        at("08:01", Enqueued(queue=LOGISTICS)),
        closed("09:00"),
        abandoned("09:00:00.005"),
    )
    assert visits(state) == [
        ("Logistics", "08:01", "09:00", "unknown"),
        ("Support", "09:00", "09:00", "abandoned"),
    ]


def test_a_rating_only_subscription_has_no_closing_time_but_an_upper_bound() -> None:
    shown = Snapshot(status="CLOSED", created_at=clock("07:00"))
    rated = at("09:00", Rated(type="Csat", score=5), shows=shown)
    state = evolve(initial(ORGANIZATION, CSID), rated)
    assert state.life.summary.first_closed_at == clock("09:00")
    assert state.life.summary.first_closed_bound
    assert state.life.summary.irregular == 0
    assert state.life.transitions[0].irregular == "history_starts_midlife"
    assert state.last_event_at == clock("08:59") + timedelta(minutes=1)
