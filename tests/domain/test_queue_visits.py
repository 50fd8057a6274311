import pytest
from msgspec import UNSET
from story import ANNA, LOGISTICS, SUPPORT, after, at, seen, visits

from dixa_state.domain.events import (
    Abandoned,
    Assigned,
    Closed,
    Created,
    Enqueued,
    Fact,
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
    assert visits(after(ENQUEUED, at("08:05", fact))) == [("Support", "08:00", "08:05", outcome)]


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


def test_a_queue_that_only_a_snapshot_shows_is_no_visit() -> None:
    state = after(
        at("08:00", Created(), shows=Snapshot(queue=SUPPORT)), seen("09:00", queue=LOGISTICS)
    )
    assert state.queue == LOGISTICS
    assert visits(state) == []


def test_the_queue_stays_known_after_the_wait_and_after_the_end() -> None:
    state = after(ENQUEUED, at("08:05", Assigned(agent=ANNA)), at("09:00", Closed()))
    assert state.queue == SUPPORT


def test_an_abandoned_conversation_names_the_queue_where_it_had_waited() -> None:
    assert after(at("08:00", Abandoned(queue=SUPPORT))).queue == SUPPORT
    assert after(ENQUEUED, at("08:05", Abandoned(queue=UNSET))).queue == SUPPORT


def test_a_visit_to_a_queue_that_is_not_named_is_a_visit_to_the_one_known() -> None:
    state = after(at("08:00", Created(), shows=Snapshot(queue=SUPPORT)), at("08:01", Enqueued()))
    assert visits(state) == [("Support", "08:01", None, None)]


def test_a_queue_is_told_by_its_id_or_else_by_its_name() -> None:
    renamed = Queue("support", "Service")
    assert len(after(ENQUEUED, at("09:00", Enqueued(queue=renamed))).visits) == 1
    nameless = at("08:00", Enqueued(queue=Queue(name="A"))), at("09:00", Enqueued(queue=Queue("A")))
    assert len(after(*nameless).visits) == 1


def test_reopening_is_no_wait() -> None:
    state = after(ENQUEUED, at("08:05", Closed()), at("09:00", Reopened()))
    assert visits(state) == [("Support", "08:00", "08:05", "closed")]
