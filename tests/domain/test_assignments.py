import pytest
from msgspec import UNSET
from story import ANNA, LOGISTICS, OMAR, SUPPORT, after, assignments, at, clock, named, seen, visits

from dixa_state.domain.conversation import missed
from dixa_state.domain.events import (
    Assigned,
    Closed,
    Created,
    Enqueued,
    Fact,
    Reopened,
    Snapshot,
    TransferredToAgent,
    TransferredToQueue,
    Unassigned,
)

CREATED = at("08:00", Created())


def test_an_assignment_runs_until_the_next_one() -> None:
    state = after(at("09:00", Assigned(agent=ANNA)), at("10:00", Assigned(agent=OMAR)))
    assert assignments(state) == [
        ("Anna", "09:00", "10:00", "assigned"),
        ("Omar", "10:00", None, "assigned"),
    ]
    assert state.assignee == OMAR


def test_an_assignment_ends_when_the_agent_is_taken_off() -> None:
    state = after(at("09:00", Assigned(agent=ANNA)), at("10:00", Unassigned(agent=ANNA)))
    assert assignments(state) == [("Anna", "09:00", "10:00", "assigned")]
    assert state.assignee is None


def test_to_be_taken_from_nobody_in_particular_is_to_be_taken_from_whoever_has_it() -> None:
    state = after(at("09:00", Assigned(agent=ANNA)), at("10:00", Unassigned()))
    assert assignments(state) == [("Anna", "09:00", "10:00", "assigned")]


def test_to_be_assigned_again_to_the_same_agent_changes_nothing() -> None:
    state = after(at("09:00", Assigned(agent=ANNA)), at("10:00", Assigned(agent=ANNA)))
    assert assignments(state) == [("Anna", "09:00", None, "assigned")]


def test_a_transfer_and_the_assignment_that_follows_it_are_one_assignment() -> None:
    state = after(
        at("09:00", Assigned(agent=ANNA)),
        at("10:00", TransferredToAgent(agent=OMAR)),
        at("10:00:00.020", Assigned(agent=OMAR)),
    )
    assert assignments(state) == [
        ("Anna", "09:00", "10:00", "assigned"),
        ("Omar", "10:00", None, "transferred"),
    ]
    assert state.transfers == 1


@pytest.mark.parametrize("lag", ["10:00", "10:00:00.010", "10:00:10"])
@pytest.mark.parametrize("fact", [TransferredToAgent(agent=OMAR), Assigned(agent=OMAR)])
def test_to_be_taken_from_one_agent_does_not_take_it_from_the_one_who_just_got_it(
    fact: Fact, lag: str
) -> None:
    state = after(
        at("09:00", Assigned(agent=ANNA)),
        at("10:00", fact),
        at(lag, Unassigned(agent=ANNA)),
        at("10:00:10", Assigned(agent=OMAR)),
    )
    assert state.assignee == OMAR
    assert [(name, since) for name, since, *_ in assignments(state)] == [
        ("Anna", "09:00"),
        ("Omar", "10:00"),
    ]


def test_to_be_taken_from_an_agent_whose_assignment_was_missed_leaves_nobody() -> None:
    state = after(at("09:00", Assigned(agent=ANNA)), at("10:00", Unassigned(agent=OMAR)))
    assert state.assignee is None
    assert assignments(state) == [("Anna", "09:00", "10:00", "assigned")]


def test_an_assignment_that_only_a_snapshot_gave_away_is_inferred() -> None:
    state = after(CREATED, seen("09:00", assignee=ANNA))
    assert assignments(state) == [("Anna", "09:00", None, "inferred")]
    assert state.assignments[0].event_id == "NoteAdded@09:00"


def test_a_missed_unassignment_ends_the_assignment_where_the_snapshot_shows_nobody() -> None:
    state = after(at("09:00", Assigned(agent=ANNA)), seen("10:00", assignee=None))
    assert assignments(state) == [("Anna", "09:00", "10:00", "assigned")]


@pytest.mark.parametrize("told_at", ["09:00:00.050", "09:00:10"])
def test_an_assignment_that_a_snapshot_showed_a_moment_before_its_event_was_not_missed(
    told_at: str,
) -> None:
    state = after(
        CREATED,
        seen("09:00", assignee=ANNA),
        at(told_at, Assigned(agent=ANNA), received="12:00"),
    )
    assert assignments(state) == [("Anna", told_at, None, "assigned")]
    assert state.assignments[0].event_id == f"Assigned@{told_at}"


def test_an_assignment_beyond_the_grace_does_not_explain_what_a_snapshot_showed() -> None:
    state = after(CREATED, seen("09:00", assignee=ANNA), at("09:00:10.001", Assigned(agent=ANNA)))
    assert assignments(state) == [("Anna", "09:00", None, "inferred")]


def test_the_event_that_explains_who_has_it_now_also_ends_the_assignment_before() -> None:
    known = at("08:10", Assigned(agent=ANNA)), seen("09:00", assignee=OMAR)
    assert after(*known).assignments[0].until_inferred
    state = after(*known, at("09:00:01", Assigned(agent=OMAR)))
    assert assignments(state) == [
        ("Anna", "08:10", "09:00:01", "assigned"),
        ("Omar", "09:00:01", None, "assigned"),
    ]
    assert not state.assignments[0].until_inferred


def test_an_unassignment_beyond_the_grace_does_not_explain_what_a_snapshot_showed() -> None:
    known = at("08:10", Assigned(agent=ANNA)), seen("09:00", assignee=None)
    state = after(*known, at("09:00:10.001", Unassigned(agent=ANNA)))
    assert assignments(state) == [("Anna", "08:10", "09:00", "assigned")]
    assert state.assignments[0].until_inferred


def test_an_inferred_assignment_gives_way_to_the_event_when_that_arrives_after_all() -> None:
    state = after(
        CREATED, seen("09:00", assignee=ANNA), at("08:30", Assigned(agent=ANNA), received="10:00")
    )
    assert assignments(state) == [("Anna", "08:30", None, "assigned")]


def test_an_event_that_does_not_say_to_whom_changes_nobody() -> None:
    state = after(
        at("09:00", Assigned(agent=ANNA)),
        at("10:00", Assigned(agent=UNSET)),
        at("11:00", TransferredToAgent(agent=UNSET)),
    )
    assert assignments(state) == [("Anna", "09:00", None, "assigned")]
    assert state.transfers == 1


def test_a_close_leaves_the_conversation_with_its_agent() -> None:
    state = after(at("09:00", Assigned(agent=ANNA)), at("10:00", Closed()), at("11:00", Reopened()))
    assert assignments(state) == [("Anna", "09:00", None, "assigned")]


def test_the_same_agent_a_second_time_is_a_second_assignment() -> None:
    state = after(
        at("09:00", Assigned(agent=ANNA)),
        at("10:00", Unassigned(agent=ANNA)),
        at("11:00", Assigned(agent=ANNA)),
    )
    assert assignments(state) == [
        ("Anna", "09:00", "10:00", "assigned"),
        ("Anna", "11:00", None, "assigned"),
    ]


def test_transfers_to_agents_and_to_queues_are_counted_together() -> None:
    state = after(
        at("09:00", TransferredToAgent(agent=ANNA)), at("10:00", TransferredToQueue(queue=SUPPORT))
    )
    assert state.transfers == 2


def test_an_assignment_and_its_end_in_one_millisecond_leave_the_agent_with_it() -> None:
    state = after(
        at("09:00", Assigned(agent=ANNA)),
        named("a", at("10:00", Assigned(agent=OMAR))),
        named("b", at("10:00", Unassigned(agent=ANNA))),
    )
    assert state.assignee == OMAR
    assert [assignment.until for assignment in state.assignments] == [clock("10:00"), None]


def test_an_assignment_seen_only_in_a_snapshot_ends_the_wait_too() -> None:
    state = after(CREATED, at("08:01", Enqueued(queue=SUPPORT)), seen("09:00", assignee=ANNA))
    assert visits(state) == [("Support", "08:01", "09:00", "assigned")]


def test_a_creation_that_shows_an_agent_is_an_assignment() -> None:
    state = after(at("08:00", Created(), shows=Snapshot(assignee=ANNA)))
    assert assignments(state) == [("Anna", "08:00", None, "assigned")]


def test_to_be_taken_from_nobody_again_leaves_an_ended_assignment_as_it_was() -> None:
    state = after(
        CREATED,
        seen("09:00", assignee=ANNA),
        at("09:00:01", Unassigned()),
        at("09:00:02", Unassigned()),
    )
    assert assignments(state) == [("Anna", "09:00", "09:00:01", "inferred")]


def test_to_be_taken_from_somebody_else_leaves_it_with_whom_the_snapshot_shows() -> None:
    taken = at("10:00", Unassigned(agent=OMAR), shows=Snapshot(assignee=ANNA))
    assert after(at("09:00", Assigned(agent=ANNA)), taken).assignee == ANNA
    unnamed = at("10:00", Unassigned(), shows=Snapshot(assignee=ANNA))
    assert after(at("09:00", Assigned(agent=ANNA)), unnamed).assignee == ANNA


SHOWN = Snapshot(assignee=OMAR, queue=LOGISTICS)


def test_what_a_transfer_names_stands_unless_its_snapshot_shows_another_one() -> None:
    known = CREATED, at("09:00", Assigned(agent=ANNA)), at("09:00", Enqueued(queue=SUPPORT))
    nobody = Snapshot(assignee=None, queue=None)
    to_agent = at("10:00", TransferredToAgent(agent=ANNA), shows=nobody)
    assert after(*known, to_agent).assignee == ANNA
    to_queue = at("10:00", TransferredToQueue(queue=SUPPORT), shows=nobody)
    assert after(*known, to_queue).queue == SUPPORT
    to_agent = at("10:00", TransferredToAgent(agent=ANNA), shows=SHOWN)
    assert after(*known, to_agent).assignee == OMAR
    to_queue = at("10:00", TransferredToQueue(queue=SUPPORT), shows=SHOWN)
    assert after(*known, to_queue).queue == LOGISTICS


@pytest.mark.parametrize("time", ["09:00:01", "10:00"])
@pytest.mark.parametrize("fact", [TransferredToAgent(), TransferredToQueue()])
def test_where_a_transfer_names_nothing_its_snapshot_decides_at_once_on_both_fields(
    fact: TransferredToAgent | TransferredToQueue, time: str
) -> None:
    known = CREATED, at("09:00", Assigned(agent=ANNA)), at("09:00", Enqueued(queue=SUPPORT))
    state = after(*known, at(time, fact, shows=SHOWN))
    assert (state.assignee, state.queue, state.transfers) == (OMAR, LOGISTICS, 1)
    assert assignments(state)[-1] == ("Omar", time, None, "transferred")
    assert missed(state) == []


def test_a_transfer_to_a_queue_that_shows_nobody_ends_the_assignment_at_once() -> None:
    shown = Snapshot(assignee=None, queue=LOGISTICS)
    to_queue = at("10:00", TransferredToQueue(queue=LOGISTICS), shows=shown)
    state = after(CREATED, at("09:00", Assigned(agent=ANNA)), to_queue)
    assert assignments(state) == [("Anna", "09:00", "10:00", "assigned")]
    assert state.assignee is None


def test_a_transfer_leads_to_a_wait_even_where_the_event_of_being_enqueued_was_lost() -> None:
    shown = Snapshot(assignee=None, queue=LOGISTICS)
    state = after(
        CREATED,
        at("09:00", Assigned(agent=ANNA)),
        at("10:00", TransferredToQueue(queue=LOGISTICS), shows=shown),
        at("10:30", Assigned(agent=OMAR)),
    )
    assert visits(state) == [("Logistics", "10:00", "10:30", "assigned")]


def test_enqueued_at_belongs_to_the_queue_shown() -> None:
    waited = CREATED, at("09:00", Enqueued(queue=SUPPORT)), at("09:30", Assigned(agent=ANNA))
    assert after(*waited).visit == after(*waited).visits[0]
    to_agent = at("10:00", TransferredToAgent(agent=OMAR), shows=Snapshot(queue=LOGISTICS))
    state = after(*waited, to_agent)
    assert (state.queue, state.visit) == (LOGISTICS, None)
