"""What proves that a webhook was lost, and what follows from it."""

import pytest
from story import (
    ANNA,
    LOGISTICS,
    METTE,
    OMAR,
    PER,
    SUPPORT,
    after,
    assignments,
    at,
    clock,
    seen,
    transitions,
    visits,
    wall,
)

from dixa_state.domain.conversation import Conversation, missed
from dixa_state.domain.events import (
    Abandoned,
    Assigned,
    Closed,
    Created,
    CustomAttributesUpdated,
    EndUserReplaced,
    Enqueued,
    Event,
    FollowUpAdded,
    FollowUpExpired,
    NoteAdded,
    Reopened,
    Snapshot,
    TagAdded,
    TagRemoved,
    TransferredToQueue,
    Unassigned,
)
from dixa_state.domain.metrics import durations, upper_bounds
from dixa_state.fold import Step
from dixa_state.questions.timeline import describe_step

WHOLE = Snapshot(
    status="OPEN",
    created_at=clock("08:00"),
    requester=METTE,
    assignee=None,
    queue=None,
    subject="Tent",
    tags=frozenset(),
    custom_attributes={},
)
CREATED = at("08:00", Created(), shows=WHOLE)


def lost(state: Conversation) -> list[tuple[str, str, str | None, str, str | None]]:
    """What was lost: the field, the window, and what proves it."""
    return [
        (loss.field, loss.proof, wall(loss.after), loss.event_id, wall(loss.at))
        for loss in missed(state)
    ]


def test_closed_while_closed_is_a_reopening_in_between_known_only_to_lie_between_the_two() -> None:
    state = after(CREATED, at("10:30", Closed()), at("18:30", Closed(), by=ANNA))
    assert transitions(state)[1:] == [
        ("open", "closed", "10:30"),
        ("closed", "open", "18:30"),
        ("open", "closed", "18:30"),
    ]
    reopened, again = state.life.transitions[2:]
    assert (reopened.inferred, reopened.is_reopen, reopened.irregular) == (True, True, None)
    assert (again.inferred, again.irregular, again.actor) == (False, None, ANNA)
    summary = state.life.summary
    assert (summary.reopens, summary.last_closed_at) == (1, clock("18:30"))
    assert lost(state) == [("status", "repeat", "10:30", "Closed@18:30", "18:30")]
    assert upper_bounds(state).times == frozenset()
    assert upper_bounds(state).durations == {"open", "closed"}


def test_abandoned_while_abandoned_is_a_reopening_in_between() -> None:
    state = after(CREATED, at("09:00", Abandoned()), at("10:00", Abandoned()))
    assert transitions(state)[1:] == [
        ("open", "abandoned", "09:00"),
        ("abandoned", "open", "10:00"),
        ("open", "abandoned", "10:00"),
    ]
    assert lost(state) == [("status", "repeat", "09:00", "Abandoned@10:00", "10:00")]


@pytest.mark.parametrize(
    ("road", "repeat"),
    [
        ([], Reopened()),
        ([], FollowUpExpired()),
        ([at("08:30", FollowUpAdded())], FollowUpAdded()),
    ],
    ids=["open while open", "expired while open", "pending while pending"],
)
def test_a_repeated_status_proves_a_loss_but_no_transition_is_made_up(
    road: list[Event], repeat: Reopened | FollowUpExpired | FollowUpAdded
) -> None:
    before = after(CREATED, *road)
    state = after(CREATED, *road, at("10:00", repeat))
    assert transitions(state) == transitions(before)
    event_id = f"{type(repeat).__name__}@10:00"
    assert lost(state) == [("status", "repeat", wall(before.life.since), event_id, "10:00")]


@pytest.mark.parametrize("fact", [Closed(), Abandoned(), Reopened(), FollowUpAdded()])
def test_a_repeat_within_the_grace_proves_nothing(fact: Closed | Abandoned | Reopened) -> None:
    state = after(CREATED, at("10:00", fact), at("10:00:10", fact))
    assert [loss for loss in missed(state) if loss.at > clock("10:00")] == []
    assert len(state.life.transitions) <= 2


def test_a_creation_told_twice_proves_nothing() -> None:
    assert missed(after(CREATED, at("09:00", Created(), shows=WHOLE))) == []


def test_pending_while_closed_is_an_irregular_reopening_and_proves_a_lost_one() -> None:
    state = after(CREATED, at("09:00", Closed()), at("10:00", FollowUpAdded()))
    pending = state.life.transitions[-1]
    assert (pending.before, pending.after) == ("closed", "pending")
    assert (pending.irregular, pending.is_reopen, pending.inferred) == (
        "unexpected_from",
        True,
        False,
    )
    assert lost(state) == [("status", "unexpected", "09:00", "FollowUpAdded@10:00", "10:00")]
    assert upper_bounds(state).durations == {"closed"}


def test_after_a_lost_abandonment_open_and_enqueued_begin_a_new_visit() -> None:
    state = after(
        CREATED,
        at("08:01", Enqueued(queue=SUPPORT)),
        at("20:00", Reopened()),
        at("20:00:00.050", Enqueued(queue=SUPPORT)),
        at("20:12:04", Assigned(agent=ANNA)),
    )
    assert visits(state) == [
        ("Support", "08:01", "20:00", "unknown"),
        ("Support", "20:00:00.050", "20:12:04", "assigned"),
    ]
    assert durations(state, clock("21:00")).queue_wait == 723.95
    assert "queue_wait" in upper_bounds(state).durations


def test_the_new_visit_may_be_reported_a_moment_before_the_reopening() -> None:
    state = after(
        CREATED,
        at("08:01", Enqueued(queue=SUPPORT)),
        at("20:00", Enqueued(queue=SUPPORT)),
        at("20:00:00.050", Reopened()),
    )
    assert visits(state) == [
        ("Support", "08:01", "20:00", "unknown"),
        ("Support", "20:00", None, None),
    ]
    elsewhere = after(
        CREATED,
        at("08:01", Enqueued(queue=SUPPORT)),
        at("20:00", Enqueued(queue=LOGISTICS)),
        at("20:00:00.050", Reopened()),
    )
    assert visits(elsewhere) == [
        ("Support", "08:01", "20:00", "unknown"),
        ("Logistics", "20:00", None, None),
    ]


def test_a_first_close_after_a_lost_ending_is_only_an_upper_bound() -> None:
    state = after(CREATED, at("10:00", Reopened()), at("11:00", Closed()))
    assert upper_bounds(state).times == {"first_closed_at"}
    assert "first_resolution" in upper_bounds(state).durations


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("status", {"status": "CLOSED"}),
        ("assignee", {"assignee": ANNA}),
        ("queue", {"queue": SUPPORT}),
        ("requester", {"requester": PER}),
        ("tags", {"tags": frozenset({"tent"})}),
        ("custom_attributes", {"custom_attributes": {"order": "1"}}),
    ],
)
def test_what_only_a_snapshot_shows_proves_a_loss(field: str, shown: dict[str, object]) -> None:
    evidence = seen("09:00", **shown)
    state = after(CREATED, evidence)
    assert lost(state) == [(field, "inferred", "08:00", "NoteAdded@09:00", "09:00")]
    assert describe_step(Step(evidence, after(CREATED), state)).inferred


def test_a_timeline_marks_the_end_that_only_a_snapshot_shows_and_not_one_that_was_reported() -> (
    None
):
    assigned = after(CREATED, at("08:30", Assigned(agent=ANNA)))
    nobody = Snapshot(assignee=None)
    for fact, inferred in ((NoteAdded(), True), (Unassigned(agent=ANNA), False)):
        event = at("09:00", fact, shows=nobody)
        ended = after(CREATED, at("08:30", Assigned(agent=ANNA)), event)
        assert ended.assignee is None
        assert describe_step(Step(event, assigned, ended)).inferred is inferred


def test_a_subject_proves_nothing_since_no_event_is_about_it() -> None:
    state = after(CREATED, seen("09:00", subject="Poles"))
    assert (state.subject, missed(state)) == ("Poles", [])


def test_an_attribute_without_a_value_proves_nothing() -> None:
    assert missed(after(CREATED, seen("09:00", custom_attributes={"order": None}))) == []


def test_what_was_before_the_history_that_we_have_proves_nothing() -> None:
    state = after(seen("09:00", status="CLOSED", assignee=ANNA, queue=SUPPORT, requester=METTE))
    assert missed(state) == []
    assert missed(after(seen("09:00", tags=frozenset({"tent"})))) == []


@pytest.mark.parametrize("lag", ["09:00", "09:00:00.020", "09:00:10"])
def test_what_a_snapshot_showed_a_moment_before_its_event_was_not_lost(lag: str) -> None:
    ahead = seen(
        "09:00",
        status="PENDING",
        assignee=ANNA,
        queue=SUPPORT,
        requester=PER,
        tags=frozenset({"tent"}),
        custom_attributes={"order": "1"},
    )
    state = after(
        CREATED,
        ahead,
        at(lag, FollowUpAdded()),
        at(lag, Enqueued(queue=SUPPORT)),
        at(lag, Assigned(agent=ANNA)),
        at(lag, EndUserReplaced(new=PER)),
        at(lag, TagAdded(tag="tent")),
        at(lag, CustomAttributesUpdated(values={"order": "1"})),
    )
    assert missed(state) == []
    assert assignments(state) == [("Anna", lag, None, "assigned")]
    assert [(change.inferred, wall(change.at)) for change in state.tag_history] == [(False, lag)]
    assert upper_bounds(state).durations == frozenset()


def test_an_event_beyond_the_grace_explains_nothing() -> None:
    state = after(CREATED, seen("09:00", assignee=ANNA), at("09:00:10.001", Assigned(agent=ANNA)))
    assert lost(state) == [("assignee", "inferred", "08:00", "NoteAdded@09:00", "09:00")]


def test_the_end_of_an_assignment_that_a_snapshot_showed_a_moment_before_is_that_of_its_event() -> (
    None
):
    assigned = CREATED, at("08:10", Assigned(agent=ANNA))
    state = after(*assigned, seen("09:00", assignee=None), at("09:00:01", Unassigned(agent=ANNA)))
    assert assignments(state) == [("Anna", "08:10", "09:00:01", "assigned")]
    assert (missed(state), state.assignments[0].until_inferred) == ([], False)


def test_to_be_taken_from_an_agent_who_never_had_it_proves_that_the_assignment_was_lost() -> None:
    state = after(CREATED, at("09:00", Unassigned(agent=OMAR)))
    assert lost(state) == [("assignee", "unexpected", "08:00", "Unassigned@09:00", "09:00")]


def test_a_tag_that_a_snapshot_lacks_was_removed_since_its_last_report() -> None:
    state = after(
        CREATED,
        at("08:30", TagAdded(tag="tent")),
        at("08:40", TagRemoved(tag="pole")),
        seen("09:00", tags=frozenset()),
    )
    (loss,) = missed(state)
    assert (loss.field, loss.detail, wall(loss.after)) == ("tags", "tent", "08:30")


def test_losses_are_listed_in_the_order_of_their_evidence() -> None:
    state = after(
        CREATED,
        seen("09:00", assignee=ANNA),
        at("10:00", Reopened()),
        at("11:00", NoteAdded(), shows=Snapshot(queue=SUPPORT)),
    )
    assert [(loss.field, wall(loss.at)) for loss in missed(state)] == [
        ("assignee", "09:00"),
        ("status", "10:00"),
        ("queue", "11:00"),
    ]


def test_a_lost_webhook_that_arrives_after_all_is_no_loss() -> None:
    state = after(
        CREATED,
        at("10:30", Closed()),
        at("18:30", Closed()),
        at("12:00", Reopened(), received="20:00"),
    )
    assert missed(state) == []
    assert transitions(state)[2:] == [("closed", "open", "12:00"), ("open", "closed", "18:30")]


def test_a_transfer_that_follows_at_once_explains_the_queue_and_the_visit() -> None:
    state = after(
        CREATED,
        at("08:01", Enqueued(queue=SUPPORT)),
        seen("09:00", queue=LOGISTICS),
        at("09:00:00.010", TransferredToQueue(queue=LOGISTICS)),
        at("09:00:00.050", Enqueued(queue=LOGISTICS)),
    )
    assert missed(state) == []
    assert visits(state) == [
        ("Support", "08:01", "09:00:00.010", "transferred"),
        ("Logistics", "09:00:00.050", None, None),
    ]
