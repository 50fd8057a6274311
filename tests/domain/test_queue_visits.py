import pytest
from msgspec import UNSET
from story import ANNA, LOGISTICS, SUPPORT, after, at, clock, seen, visits

from dixa_state.domain.events import (
    Abandoned,
    Assigned,
    Closed,
    Created,
    Enqueued,
    Fact,
    NoteAdded,
    Queue,
    Reopened,
    Snapshot,
    TransferredToAgent,
    TransferredToQueue,
    Unassigned,
)

ENQUEUED = at("08:00", Enqueued(queue=SUPPORT))


def test_a_visit_runs_from_being_enqueued() -> None:
    assert visits(after(ENQUEUED)) == [("Support", "08:00", None, None)]


@pytest.mark.parametrize(
    ("fact", "outcome"),
    [
        (Assigned(agent=ANNA), "assigned"),
        (TransferredToAgent(agent=ANNA), "assigned"),
        (TransferredToQueue(queue=LOGISTICS), "transferred"),
        (TransferredToQueue(queue=UNSET), "transferred"),
        (TransferredToQueue(queue=None), "transferred"),
        (Abandoned(queue=SUPPORT), "abandoned"),
        (Closed(), "closed"),
    ],
)
def test_a_visit_ends_with_what_took_the_conversation_out_of_the_queue(
    fact: Fact, outcome: str
) -> None:
    assert visits(after(ENQUEUED, at("08:05", fact)))[0] == ("Support", "08:00", "08:05", outcome)


def test_the_first_end_of_a_visit_counts() -> None:
    state = after(ENQUEUED, at("08:05", Assigned(agent=ANNA)), at("09:00", Closed()))
    assert visits(state) == [("Support", "08:00", "08:05", "assigned")]


def test_to_be_enqueued_elsewhere_ends_one_visit_and_begins_another() -> None:
    state = after(ENQUEUED, at("08:05", Enqueued(queue=LOGISTICS)))
    assert visits(state) == [
        ("Support", "08:00", "08:05", "requeued"),
        ("Logistics", "08:05", None, None),
    ]


def test_to_be_enqueued_again_where_it_waits_already_changes_nothing() -> None:
    state = after(ENQUEUED, at("08:05", Enqueued(queue=SUPPORT)))
    assert visits(state) == [("Support", "08:00", None, None)]


def test_to_be_enqueued_back_where_it_waited_before_is_another_visit() -> None:
    state = after(
        ENQUEUED, at("08:05", Enqueued(queue=LOGISTICS)), at("08:06", Enqueued(queue=SUPPORT))
    )
    assert visits(state) == [
        ("Support", "08:00", "08:05", "requeued"),
        ("Logistics", "08:05", "08:06", "requeued"),
        ("Support", "08:06", None, None),
    ]


def test_to_be_enqueued_again_after_the_visit_ended_is_another_visit() -> None:
    state = after(
        ENQUEUED,
        at("08:05", Assigned(agent=ANNA)),
        at("09:00", Unassigned(agent=ANNA)),
        at("09:00", Enqueued(queue=SUPPORT)),
    )
    assert visits(state) == [
        ("Support", "08:00", "08:05", "assigned"),
        ("Support", "09:00", None, None),
    ]


@pytest.mark.parametrize("enqueued_at", ["08:04:59.990", "08:05:00.100"])
def test_a_transfer_leads_to_a_wait_whichever_of_its_two_events_was_sent_first(
    enqueued_at: str,
) -> None:
    state = after(
        at("07:00", Enqueued(queue=SUPPORT)),
        at("07:10", Assigned(agent=ANNA)),
        at(enqueued_at, Enqueued(queue=LOGISTICS)),
        at("08:05", TransferredToQueue(queue=LOGISTICS)),
    )
    assert visits(state) == [
        ("Support", "07:00", "07:10", "assigned"),
        ("Logistics", enqueued_at, None, None),
    ]


def test_a_transfer_from_queue_to_queue_is_how_the_first_visit_ends() -> None:
    state = after(
        ENQUEUED,
        at("08:05", TransferredToQueue(queue=LOGISTICS)),
        at("08:05:00.100", Enqueued(queue=LOGISTICS)),
    )
    assert visits(state) == [
        ("Support", "08:00", "08:05", "transferred"),
        ("Logistics", "08:05:00.100", None, None),
    ]


def test_to_be_taken_from_an_agent_ends_no_wait() -> None:
    state = after(ENQUEUED, at("08:05", Unassigned(agent=ANNA)))
    assert visits(state) == [("Support", "08:00", None, None)]


def test_a_queue_that_only_a_snapshot_shows_is_a_visit_that_ends_the_one_before() -> None:
    state = after(
        at("08:00", Created(), shows=Snapshot(queue=SUPPORT)), seen("09:00", queue=LOGISTICS)
    )
    assert state.queue == LOGISTICS
    assert visits(state) == [
        ("Support", "08:00", "09:00", "unknown"),
        ("Logistics", "09:00", None, None),
    ]
    assert [visit.wait for visit in state.visits] == [None, None]
    assert [visit.is_exact for visit in state.visits] == [False, False]


def test_the_queue_stays_known_after_the_wait_and_after_the_end() -> None:
    state = after(ENQUEUED, at("08:05", Assigned(agent=ANNA)), at("09:00", Closed()))
    assert state.queue == SUPPORT


def test_an_abandoned_conversation_names_the_queue_where_it_had_waited() -> None:
    assert after(at("08:00", Abandoned(queue=SUPPORT))).queue == SUPPORT
    assert after(ENQUEUED, at("08:05", Abandoned(queue=UNSET))).queue == SUPPORT


def test_a_visit_to_a_queue_that_is_not_named_is_a_visit_to_the_one_known() -> None:
    state = after(at("08:00", Created(), shows=Snapshot(queue=SUPPORT)), at("08:01", Enqueued()))
    assert visits(state) == [("Support", "08:00", None, None)]


def test_a_queue_is_told_by_its_id_or_else_by_its_name() -> None:
    renamed = Queue("support", "Service")
    assert len(after(ENQUEUED, at("09:00", Enqueued(queue=renamed))).visits) == 1
    nameless = at("08:00", Enqueued(queue=Queue(name="A"))), at("09:00", Enqueued(queue=Queue("A")))
    assert len(after(*nameless).visits) == 1


def test_reopening_is_no_wait() -> None:
    state = after(ENQUEUED, at("08:05", Closed()), at("09:00", Reopened()))
    assert visits(state) == [("Support", "08:00", "08:05", "closed")]


def test_the_queue_that_only_the_abandonment_names_is_a_visit_too() -> None:
    state = after(at("08:00", Created()), at("09:00", Abandoned(queue=SUPPORT)))
    assert visits(state) == [("Support", "09:00", "09:00", "abandoned")]
    assert not state.visits[0].is_exact


def test_the_end_of_a_visit_that_an_abandonment_elsewhere_proves_is_unknown() -> None:
    state = after(ENQUEUED, at("09:00", Abandoned(queue=LOGISTICS)))
    assert visits(state) == [
        ("Support", "08:00", "09:00", "unknown"),
        ("Logistics", "09:00", "09:00", "abandoned"),
    ]


@pytest.mark.parametrize("named", [SUPPORT, LOGISTICS])
def test_a_visit_never_ends_before_it_began(named: Queue) -> None:
    """Closed and abandoned are one ending, at the earlier time; the queue may come between."""
    state = after(
        at("08:00:00", Created(), shows=Snapshot(status="CLOSED")),
        at("08:00:01", Enqueued(queue=SUPPORT)),
        at("08:00:02", Abandoned(queue=named)),
    )
    assert state.life.transitions[-1].at == clock("08:00:00")
    times = [(visit.enqueued_at, visit.left_at) for visit in state.visits]
    assert set(times) == {(clock("08:00:01"), clock("08:00:01"))}
    assert state.visits[-1].outcome == "abandoned"


def test_every_abandonment_is_an_event_whatever_happens_later() -> None:
    state = after(
        at("07:59", Created()),
        ENQUEUED,
        at("08:05", Abandoned(queue=SUPPORT)),
        at("09:00", Reopened()),
        at("09:00", Enqueued(queue=SUPPORT)),
        at("09:05", Abandoned(queue=SUPPORT)),
        at("10:00", Reopened()),
        at("10:30", Closed()),
    )
    assert [visit.outcome for visit in state.visits] == ["abandoned", "abandoned"]
    ended = [one for one in state.life.transitions if one.after == "abandoned"]
    assert [one.at for one in ended] == [clock("08:05"), clock("09:05")]


def test_a_visit_whose_beginning_was_lost_is_one_of_which_the_beginning_is_an_upper_bound() -> None:
    shown = Snapshot(assignee=None, queue=SUPPORT)
    state = after(
        at("08:00", Created(), shows=Snapshot(assignee=None, queue=None)),
        at("08:20", NoteAdded(), shows=shown),
        at("08:30", Assigned(agent=ANNA), shows=Snapshot(assignee=ANNA, queue=SUPPORT)),
    )
    assert visits(state) == [("Support", "08:20", "08:30", "assigned")]
    assert (state.visits[0].entry, state.visits[0].left_inferred) == ("inferred", False)


def test_an_assignment_that_shows_the_queue_for_the_first_time_is_a_visit_without_a_wait() -> None:
    state = after(
        at("08:00", Created(), shows=Snapshot(assignee=None, queue=None)),
        at("08:30", Assigned(agent=ANNA), shows=Snapshot(assignee=ANNA, queue=SUPPORT)),
    )
    assert visits(state) == [("Support", "08:30", "08:30", "assigned")]
    assert not state.visits[0].is_exact


def test_a_conversation_that_an_agent_began_waited_in_no_queue() -> None:
    state = after(at("08:00", Created(), shows=Snapshot(assignee=ANNA, queue=SUPPORT)))
    assert (state.queue, visits(state)) == (SUPPORT, [])


def test_a_queue_shown_beside_an_agent_is_a_visit_whose_end_is_unknown() -> None:
    state = after(
        at("08:00", Created(), shows=Snapshot(assignee=None, queue=None)),
        at("08:10", Assigned(agent=ANNA), shows=Snapshot(queue=None)),
        seen("09:00", assignee=ANNA, queue=SUPPORT),
    )
    assert visits(state) == [("Support", "09:00", "09:00", "unknown")]


def test_no_queue_where_it_waited_is_a_visit_whose_end_was_lost() -> None:
    state = after(ENQUEUED, seen("09:00", queue=None))
    assert visits(state) == [("Support", "08:00", "09:00", "unknown")]
    assert state.visits[0].wait is None


def test_a_wait_that_an_inferred_assignment_ended_is_no_exact_one() -> None:
    state = after(
        at("07:59", Created(), shows=Snapshot(assignee=None)),
        ENQUEUED,
        seen("09:00", assignee=ANNA),
    )
    assert visits(state) == [("Support", "08:00", "09:00", "assigned")]
    assert (state.visits[0].left_inferred, state.visits[0].is_exact) == (True, False)
    explained = at("09:00:01", Assigned(agent=ANNA))
    state = after(
        at("07:59", Created(), shows=Snapshot(assignee=None)),
        ENQUEUED,
        seen("09:00", assignee=ANNA),
        explained,
    )
    assert visits(state) == [("Support", "08:00", "09:00:01", "assigned")]
    assert state.visits[0].is_exact
