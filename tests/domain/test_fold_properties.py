"""What holds of every history, however it happened and however it came in."""

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

from histories import (
    GAPS,
    LIFECYCLE,
    MILLISECOND,
    Lived,
    blurred,
    delivered,
    histories,
    later,
    lives,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from story import CSID, ORGANIZATION, clock

from dixa_state.domain import bans
from dixa_state.domain.conversation import Conversation, initial, missed
from dixa_state.domain.events import Abandoned, Created, Event, believed, same
from dixa_state.domain.evidence import GRACE
from dixa_state.domain.fold import evolve
from dixa_state.domain.metrics import durations
from dixa_state.questions import describe

START = initial(ORGANIZATION, CSID)
EVENING = clock("23:59")
ARRIVAL = {"received_at", "late", "position"}
moments = st.sampled_from(GAPS).map(lambda gap: clock("08:00") + 3 * gap)

thorough = settings(max_examples=2 * settings().max_examples)


def state_of(events: list[Event]) -> Conversation:
    return evolve(START, *sorted(events, key=lambda event: event.order))


def documents(state: Conversation) -> list[dict[str, Any]]:
    return [
        describe(state, now=EVENING).model_dump(mode="json", by_alias=True),
        *(to_builtins(transition) for transition in state.life.transitions),
    ]


def without_arrival(value: Any) -> Any:
    match value:
        case dict():
            return {name: without_arrival(value[name]) for name in value if name not in ARRIVAL}
        case list():
            return [without_arrival(item) for item in value]
        case _:
            return value


@thorough
@given(histories(), st.data())
def test_any_permutation_folds_to_the_same_state(events: list[Event], data: st.DataObject) -> None:
    state, shuffled = state_of(events), state_of(data.draw(st.permutations(events)))
    assert shuffled == state
    assert json.dumps(documents(shuffled)) == json.dumps(documents(state))


@thorough
@given(histories(), st.data())
def test_any_order_of_arrival_gives_the_same_state_but_for_the_arrival_facts(
    events: list[Event], data: st.DataObject
) -> None:
    again = delivered(data.draw(st.permutations(events)))
    assert without_arrival(documents(state_of(again))) == without_arrival(
        documents(state_of(events))
    )


@thorough
@given(histories())
def test_to_evolve_in_event_time_order_one_by_one_is_to_fold(events: list[Event]) -> None:
    state = START
    for event in sorted(events, key=lambda event: event.order):
        state = evolve(state, event)
    assert state == state_of(events)


@thorough
@given(histories(min_size=1), moments)
def test_the_state_as_of_a_moment_is_the_one_that_the_fold_had_then(
    events: list[Event], moment: Any
) -> None:
    state = START
    for event in sorted(events, key=lambda event: event.order):
        if event.at > moment:
            break
        state = evolve(state, event)
    assert state_of(believed(events, as_of=moment)) == state


@thorough
@given(histories(min_size=1), st.integers(0, 14))
def test_what_was_believed_at_a_moment_never_changes_as_more_arrives(
    events: list[Event], number: int
) -> None:
    first = events[:number]
    known_at = first[-1].received_at if first else clock("00:00")
    assert state_of(believed(events, known_at=known_at)) == state_of(delivered(first))


@thorough
@given(histories())
def test_the_transitions_are_a_chain(events: list[Event]) -> None:
    state = state_of(events)
    chain = state.life.transitions
    times = {event.event_id: event.at for event in events}
    assert [transition.sequence for transition in chain] == list(range(1, len(chain) + 1))
    assert [transition.before for transition in chain] == [
        None,
        *(transition.after for transition in chain[:-1]),
    ][: len(chain)]
    assert all(transition.before != transition.after for transition in chain)
    assert all(one.at <= next_.at for one, next_ in pairwise(chain))
    abandonments = {event.event_id for event in events if isinstance(event.fact, Abandoned)}
    assert all(
        transition.at == times[transition.event_id]
        # one ending of two webhooks: at the earlier time, by the more specific event
        or (transition.event_id in abandonments and transition.at in times.values())
        for transition in chain
    )
    assert all(
        transition.seconds_in_previous == (transition.at - one.at).total_seconds()
        for one, transition in pairwise(chain)
    )
    assert all(transition.actor is None for transition in chain if transition.inferred)
    assert state.life.status == (chain[-1].after if chain else None)


@thorough
@given(histories(), st.sampled_from(GAPS))
def test_the_times_in_the_statuses_add_up(events: list[Event], gap: timedelta) -> None:
    state = state_of(events)
    at = max((event.at for event in events), default=EVENING) + gap
    spent = durations(state, at).in_status
    chain = state.life.transitions
    lived = (at - chain[0].at).total_seconds() if chain else 0.0
    assert abs(sum(spent.values()) - lived) < 1e-6
    assert all(seconds >= 0 for seconds in spent.values())


@thorough
@given(histories())
def test_every_duration_is_a_number_of_seconds_from_zero_up(events: list[Event]) -> None:
    known = describe(state_of(events), now=EVENING).model_dump()["durations"]
    assert set(known.pop("upper_bounds")) <= set(known)
    gaps = known.pop("next_responses")
    measured = [seconds for seconds in (*known.values(), *gaps) if seconds is not None]
    assert all(isinstance(seconds, float) and seconds >= 0 for seconds in measured)


@thorough
@given(histories())
def test_assignments_follow_one_another_and_only_the_last_may_run(events: list[Event]) -> None:
    state = state_of(events)
    held = state.assignments
    assert all(one.until is not None and one.until <= two.since for one, two in pairwise(held))
    assert all(
        assignment.since <= assignment.until for assignment in held if assignment.until is not None
    )
    running = held[-1] if held and held[-1].until is None else None
    assert same(running.agent if running else None, state.assignee)


@thorough
@given(histories())
def test_queue_visits_follow_one_another_and_only_the_last_may_run(events: list[Event]) -> None:
    visits = state_of(events).visits
    assert all(
        one.left_at is not None and one.left_at <= two.enqueued_at for one, two in pairwise(visits)
    )
    assert all(visit.enqueued_at <= visit.left_at for visit in visits if visit.left_at)
    assert all((visit.left_at is None) == (visit.outcome is None) for visit in visits)


@thorough
@given(histories())
def test_the_history_of_the_tags_replays_to_the_tags(events: list[Event]) -> None:
    state = state_of(events)
    tags: set[str] = set()
    for change in state.tag_history:
        assert (change.tag in tags) is not change.added
        tags ^= {change.tag}
    assert tags == state.tags


@thorough
@given(histories())
def test_a_fold_of_bans_is_as_total_as_that_of_conversations(events: list[Event]) -> None:
    ban = bans.fold(bans.Ban(ORGANIZATION, "enduser", "mette"), events)
    assert ban.version == len(events)
    assert ban.banned == (ban.history[-1].banned if ban.history else False)


@thorough
@given(histories())
def test_a_state_counts_every_event_once(events: list[Event]) -> None:
    state = state_of(events)
    assert state.version == len(events)
    assert state.position == max((event.position for event in events), default=0)
    assert state.late == sum(event.late for event in events)
    assert state.last_event_at == max((event.at for event in events), default=None)


def holds_true(lived: Lived, state: Conversation) -> None:
    assert [
        (transition.irregular, transition.inferred) for transition in state.life.transitions
    ] == [(None, False)] * len(state.life.transitions)
    assert {assignment.how for assignment in state.assignments} <= {"assigned", "transferred"}
    assert (state.life.status, state.assignee, state.queue) == (
        lived.truth.status,
        lived.truth.assignee,
        lived.truth.queue,
    )
    assert len(state.assignments) == lived.held
    assert missed(state) == []


@thorough
@given(lives())
def test_where_no_webhook_was_missed_nothing_is_irregular_or_inferred(lived: Lived) -> None:
    holds_true(lived, state_of(lived.events))


@thorough
@given(lives(around=blurred))
def test_snapshots_a_moment_ahead_or_behind_make_nothing_irregular_or_inferred(
    lived: Lived,
) -> None:
    holds_true(lived, state_of(lived.events))


@thorough
@given(lives(), st.data())
def test_after_a_missed_webhook_a_true_snapshot_beyond_the_grace_leads_to_the_truth(
    lived: Lived, data: st.DataObject
) -> None:
    missed = data.draw(st.sampled_from(range(len(lived.events))))
    events = [event for number, event in enumerate(lived.events) if number != missed]
    last = later(lived, GRACE + MILLISECOND)
    state = state_of([*events, last])
    shown = lived.truth.shown()
    status = "closed" if state.life.status == "abandoned" else state.life.status
    assert status == (shown.status or "").lower()
    assert (state.assignee, state.queue) == (shown.assignee, shown.queue)


@thorough
@given(lives(), st.data())
def test_a_webhook_that_was_only_late_leaves_no_trace_but_its_lateness(
    lived: Lived, data: st.DataObject
) -> None:
    missed = data.draw(st.sampled_from(range(len(lived.events))))
    late = lived.events[missed]
    others = [event for number, event in enumerate(lived.events) if number != missed]
    in_order = sorted(others, key=lambda event: event.order)
    state = state_of(delivered([*in_order, later(lived, GRACE + MILLISECOND), late]))
    holds_true(lived, state)
    assert state.late == 1
    if isinstance(late.fact, LIFECYCLE):
        assert [
            transition.event_id for transition in state.life.transitions if transition.late
        ] == [late.event_id]


@thorough
@given(lives())
def test_a_conversation_of_which_no_webhook_was_missed_begins_with_its_creation(
    lived: Lived,
) -> None:
    first = state_of(lived.events).life.transitions[0]
    created = next(event for event in lived.events if isinstance(event.fact, Created))
    assert (first.before, first.event_id) == (None, created.event_id)
