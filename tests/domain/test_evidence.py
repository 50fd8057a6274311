from datetime import timedelta
from typing import NamedTuple

import pytest
from msgspec import UNSET
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

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import (
    Abandoned,
    Assigned,
    Closed,
    Created,
    CustomAttributesUpdated,
    EndUserReplaced,
    Enqueued,
    Event,
    Fact,
    FollowUpAdded,
    FollowUpExpired,
    MessageAdded,
    NoteAdded,
    Queue,
    Reopened,
    Snapshot,
    TagAdded,
    TagRemoved,
    TransferredToAgent,
    Unassigned,
    User,
)

CREATED = at("08:00", Created(), shows=Snapshot(status="OPEN"))


class Case(NamedTuple):
    """What an event reports of a field at 09:00, and snapshots that agree and disagree with it."""

    fact: Fact
    agrees: Snapshot
    differs: Snapshot


FIELDS = {
    "status": Case(Closed(), Snapshot(status="CLOSED"), Snapshot(status="OPEN")),
    "assignee": Case(Assigned(agent=ANNA), Snapshot(assignee=ANNA), Snapshot(assignee=OMAR)),
    "nobody": Case(Assigned(agent=ANNA), Snapshot(assignee=ANNA), Snapshot(assignee=None)),
    "queue": Case(Enqueued(queue=SUPPORT), Snapshot(queue=SUPPORT), Snapshot(queue=LOGISTICS)),
    "no queue": Case(Enqueued(queue=SUPPORT), Snapshot(queue=SUPPORT), Snapshot(queue=None)),
    "requester": Case(
        EndUserReplaced(new=METTE), Snapshot(requester=METTE), Snapshot(requester=PER)
    ),
    "subject": Case(NoteAdded(), Snapshot(subject="Tent"), Snapshot(subject="Poles")),
    "tags": Case(
        TagAdded(tag="tent"),
        Snapshot(tags=frozenset({"tent"})),
        Snapshot(tags=frozenset({"pole"})),
    ),
    "no tags": Case(
        TagAdded(tag="tent"), Snapshot(tags=frozenset({"tent"})), Snapshot(tags=frozenset())
    ),
    "custom attributes": Case(
        CustomAttributesUpdated(values={"order": "1"}),
        Snapshot(custom_attributes={"order": "1"}),
        Snapshot(custom_attributes={"order": "2"}),
    ),
}
every_field = pytest.mark.parametrize("case", FIELDS.values(), ids=FIELDS)
WHOLE = [name for name in FIELDS if name != "tags"]  # tags are judged one by one
every_whole_field = pytest.mark.parametrize("case", [FIELDS[name] for name in WHOLE], ids=WHOLE)


def reported(case: Case) -> Event:
    """The last report on the field; no event is about the subject, so there it is a snapshot."""
    return at("09:00", case.fact, shows=case.agrees if case.fact == NoteAdded() else None)


def snapshot_at(time: str, snapshot: Snapshot) -> Event:
    return at(time, NoteAdded(), shows=snapshot)


def agrees(state: Conversation, snapshot: Snapshot) -> bool:
    """Whether the state is as the snapshot shows it, in each field that it shows."""
    pairs = (
        (snapshot.status, state.life.status and state.life.status.upper(), None),
        (snapshot.assignee, state.assignee, UNSET),
        (snapshot.queue, state.queue, UNSET),
        (snapshot.requester, state.requester, None),
        (snapshot.subject, state.subject, None),
        (snapshot.tags, state.tags, None),
        (snapshot.custom_attributes, state.custom_attributes, None),
    )
    return all(value in (hidden, known) for value, known, hidden in pairs)


def test_a_dropped_close_is_inferred_from_the_next_snapshot_beyond_the_grace() -> None:
    state = after(CREATED, at("09:00", NoteAdded(), by=ANNA, shows=Snapshot(status="CLOSED")))
    transition = state.life.transitions[-1]
    assert transitions(state) == [(None, "open", "08:00"), ("open", "closed", "09:00")]
    assert (transition.event_id, transition.topic) == ("NoteAdded@09:00", "conversation.note_added")
    assert (transition.inferred, transition.irregular, transition.actor) == (True, None, None)
    assert transition.seconds_in_previous == 3600


REOPENED = CREATED, at("08:30", Closed()), at("09:00", Reopened())


@pytest.mark.parametrize(
    ("shown_at", "status"),
    [
        ("09:00:00", "open"),
        ("09:00:05", "open"),
        ("09:00:10", "open"),
        ("09:00:10.001", "closed"),
        ("09:01:00", "closed"),
    ],
)
def test_a_snapshot_of_an_earlier_value_is_believed_only_beyond_the_grace(
    shown_at: str, status: str
) -> None:
    assert after(*REOPENED, seen(shown_at, status="CLOSED")).life.status == status


def test_closed_is_an_earlier_value_of_an_abandoned_conversation_that_went_on() -> None:
    went_on = CREATED, at("08:30", Abandoned()), at("09:00", Reopened())
    assert after(*went_on, seen("09:00:10", status="CLOSED")).life.status == "open"
    assert after(*went_on, seen("09:01", status="CLOSED")).life.status == "closed"


def test_the_grace_is_what_one_says_it_is() -> None:
    events = *REOPENED, seen("09:01", status="CLOSED")
    assert after(*events, grace=timedelta(minutes=1)).life.status == "open"
    assert after(*events, grace=timedelta(seconds=59)).life.status == "closed"
    assert after(
        *REOPENED, seen("09:00:00.001", status="CLOSED"), grace=timedelta(0)
    ).life.status == ("closed")


def test_when_the_missed_close_arrives_after_all_nothing_is_inferred_any_more() -> None:
    state = after(
        CREATED,
        seen("09:00", status="CLOSED"),
        at("08:30", Closed(), by=ANNA, received="09:30"),
    )
    transition = state.life.transitions[-1]
    assert transitions(state) == [(None, "open", "08:00"), ("open", "closed", "08:30")]
    assert (transition.event_id, transition.actor) == ("Closed@08:30", ANNA)
    assert (transition.inferred, transition.late, transition.irregular) == (False, True, None)
    assert wall(transition.received_at) == "09:30"
    assert state.late == 1


def test_an_inferred_start_says_that_the_history_starts_midlife() -> None:
    (transition,) = after(seen("09:00", status="PENDING")).life.transitions
    assert (transition.before, transition.after) == (None, "pending")
    assert (transition.inferred, transition.irregular) == (True, "history_starts_midlife")


def test_an_inferred_reopening_is_a_reopening() -> None:
    state = after(CREATED, at("09:00", Closed()), seen("10:00", status="OPEN"))
    assert state.life.transitions[-1].is_reopen


def test_a_reopening_of_an_abandoned_conversation_can_be_inferred() -> None:
    state = after(CREATED, at("08:10", Abandoned()), seen("10:00", status="OPEN"))
    assert transitions(state)[-1] == ("abandoned", "open", "10:00")


@every_field
def test_beyond_the_grace_the_state_follows_the_snapshot(case: Case) -> None:
    assert agrees(after(reported(case)), case.agrees)
    assert agrees(after(reported(case), snapshot_at("09:00:10.001", case.differs)), case.differs)


@every_whole_field
@pytest.mark.parametrize("time", ["09:00:00.001", "09:00:10"])
def test_at_the_grace_and_within_it_an_earlier_value_changes_nothing(case: Case, time: str) -> None:
    earlier = snapshot_at("08:00", case.differs)
    assert agrees(after(earlier, reported(case), snapshot_at(time, case.differs)), case.agrees)


@pytest.mark.parametrize("name", ["status", "assignee", "queue", "requester", "subject", "tags"])
@pytest.mark.parametrize("time", ["09:00:00.001", "09:00:10"])
def test_a_value_that_the_field_never_had_is_news_at_once(name: str, time: str) -> None:
    case = FIELDS[name]
    news = {"status": Snapshot(status="PENDING"), "tags": Snapshot(tags=frozenset({"tent", "new"}))}
    shown = news.get(name, case.differs)
    assert agrees(after(CREATED, reported(case), snapshot_at(time, shown)), shown)


@every_whole_field
def test_agreeing_snapshots_do_not_extend_the_grace(case: Case) -> None:
    earlier = snapshot_at("08:00", case.differs)
    events = earlier, reported(case), snapshot_at("09:00:09", case.agrees)
    assert agrees(after(*events, snapshot_at("09:00:10", case.differs)), case.agrees)
    assert agrees(after(*events, snapshot_at("09:00:11", case.differs)), case.differs)


@every_field
def test_a_stale_snapshot_right_after_a_correction_does_not_undo_it(case: Case) -> None:
    corrected = reported(case), snapshot_at("09:30", case.differs)
    assert agrees(after(*corrected, snapshot_at("09:30:10", case.agrees)), case.differs)
    assert agrees(after(*corrected, snapshot_at("09:30:11", case.agrees)), case.agrees)


@every_field
def test_what_a_snapshot_hides_is_no_evidence(case: Case) -> None:
    assert agrees(after(reported(case), snapshot_at("12:00", Snapshot())), case.agrees)


@every_field
def test_what_a_snapshot_hides_does_not_extend_the_grace(case: Case) -> None:
    events = reported(case), snapshot_at("09:30", Snapshot()), snapshot_at("09:30:01", case.differs)
    assert agrees(after(*events), case.differs)


def test_hidden_is_unset_or_none_but_nobody_and_no_queue_are_shown() -> None:
    known = at("08:00", Assigned(agent=ANNA)), at("08:00", Enqueued(queue=SUPPORT))
    hidden = after(*known, seen("09:00", assignee=UNSET, queue=UNSET, tags=None))
    shown = after(*known, seen("09:00", assignee=None, queue=None))
    assert (hidden.assignee, hidden.queue) == (ANNA, SUPPORT)
    assert (shown.assignee, shown.queue) == (None, None)


@pytest.mark.parametrize(
    ("fact", "own", "reported_instead"),
    [
        (Closed(), Snapshot(status="OPEN"), Snapshot(status="CLOSED")),
        (Reopened(), Snapshot(status="CLOSED"), Snapshot(status="OPEN")),
        (FollowUpAdded(), Snapshot(status="OPEN"), Snapshot(status="PENDING")),
        (Abandoned(), Snapshot(status="OPEN"), Snapshot(status="ABANDONED")),
        (Assigned(agent=ANNA), Snapshot(assignee=OMAR), Snapshot(assignee=ANNA)),
        (TransferredToAgent(agent=ANNA), Snapshot(assignee=None), Snapshot(assignee=ANNA)),
        (Unassigned(agent=ANNA), Snapshot(assignee=ANNA), Snapshot(assignee=None)),
        (Enqueued(queue=SUPPORT), Snapshot(queue=None), Snapshot(queue=SUPPORT)),
        (Abandoned(queue=SUPPORT), Snapshot(queue=None), Snapshot(queue=SUPPORT)),
        (EndUserReplaced(new=METTE), Snapshot(requester=PER), Snapshot(requester=METTE)),
        (TagAdded(tag="tent"), Snapshot(tags=frozenset()), Snapshot(tags=frozenset({"tent"}))),
        (TagRemoved(tag="tent"), Snapshot(tags=frozenset({"tent"})), Snapshot(tags=frozenset())),
        (
            CustomAttributesUpdated(values={"order": "1"}),
            Snapshot(custom_attributes={"order": "2"}),
            Snapshot(custom_attributes={"order": "1"}),
        ),
    ],
)
def test_an_event_about_a_field_ignores_what_its_own_snapshot_shows_of_it(
    fact: Fact, own: Snapshot, reported_instead: Snapshot
) -> None:
    assert agrees(after(CREATED, at("12:00", fact, shows=own)), reported_instead)


def test_an_event_about_one_field_still_gives_evidence_on_the_others() -> None:
    state = after(
        CREATED, at("12:00", Assigned(agent=ANNA), shows=Snapshot(status="PENDING", queue=SUPPORT))
    )
    assert transitions(state)[-1] == ("open", "pending", "12:00")
    assert state.queue == SUPPORT


def test_the_evidence_comes_before_the_fact_so_a_missed_unassignment_makes_abandoning_regular() -> (
    None
):
    state = after(
        CREATED,
        at("08:10", Assigned(agent=ANNA)),
        at("09:00", Abandoned(), shows=Snapshot(status="CLOSED", assignee=None)),
    )
    assert state.life.transitions[-1].irregular is None


def test_the_first_look_at_a_field_is_believed_at_once() -> None:
    state = after(
        at(
            "08:00",
            Created(),
            shows=Snapshot(
                requester=METTE,
                assignee=ANNA,
                queue=SUPPORT,
                subject="Tent",
                tags=frozenset({"tent"}),
                custom_attributes={"order": "1"},
            ),
        )
    )
    assert (state.requester, state.assignee, state.queue) == (METTE, ANNA, SUPPORT)
    assert (state.subject, state.tags, state.custom_attributes) == (
        "Tent",
        {"tent"},
        {"order": "1"},
    )


def test_what_the_creation_shows_is_told_and_not_inferred() -> None:
    state = after(at("08:00", Created(), shows=Snapshot(assignee=ANNA, tags=frozenset({"tent"}))))
    assert assignments(state) == [("Anna", "08:00", None, "assigned")]
    assert [change.inferred for change in state.tag_history] == [False]


def test_what_a_history_that_starts_midlife_shows_first_is_inferred() -> None:
    state = after(seen("09:00", assignee=ANNA, tags=frozenset({"tent"})))
    assert assignments(state) == [("Anna", "09:00", None, "inferred")]
    assert [change.inferred for change in state.tag_history] == [True]


def test_tags_are_judged_one_by_one() -> None:
    created = at("08:00", Created(), shows=Snapshot(tags=frozenset({"tent"})))
    added = at("09:00", TagAdded(tag="pole"))
    removed = at("09:00", TagRemoved(tag="tent"))
    stale = seen("09:00:05", tags=frozenset({"tent"}))
    assert after(created, added, stale).tags == {"tent", "pole"}
    assert after(created, removed, stale).tags == frozenset()
    lost_and_new = seen("09:00:05", tags=frozenset({"new"}))
    assert after(created, added, lost_and_new).tags == {"pole", "new"}


def test_nobody_and_no_queue_are_values_that_a_field_can_have_had() -> None:
    assigned = at("09:00", Assigned(agent=ANNA)), at("09:00", Enqueued(queue=SUPPORT))
    nobody = at("08:00", Created(), shows=Snapshot(assignee=None, queue=None))
    stale = seen("09:00:10", assignee=None, queue=None)
    state = after(nobody, *assigned, stale)
    assert (state.assignee, state.queue) == (ANNA, SUPPORT)
    omar = at("08:00", Created(), shows=Snapshot(assignee=OMAR, queue=LOGISTICS))
    state = after(omar, *assigned, stale)
    assert (state.assignee, state.queue) == (None, None)
    assert after(nobody, seen("08:00:00.001", assignee=ANNA)).assignee == ANNA


def test_what_came_before_a_first_report_may_have_been_nobody() -> None:
    state = after(at("09:00", Assigned(agent=ANNA)), seen("09:00:00.001", assignee=None))
    assert state.assignee == ANNA
    state = after(at("09:00", Reopened()), seen("09:00:00.001", status="CLOSED"))
    assert state.life.status == "open"


def test_the_newest_snapshot_is_all_there_is_to_go_by_for_what_no_event_is_about() -> None:
    state = after(
        seen("08:00", channel="EMAIL", direction="INBOUND", contact_point="a@aurora.example"),
        seen("08:00:01", channel="SMS", created_at=clock("07:59")),
        seen("08:00:02"),
    )
    assert (state.channel, state.direction, state.contact_point) == (
        "SMS",
        "INBOUND",
        "a@aurora.example",
    )
    assert state.created_at == clock("07:59")


def test_without_a_time_of_creation_in_any_snapshot_that_of_the_event_counts() -> None:
    assert after(CREATED, seen("09:00")).created_at == clock("08:00")


def test_newer_details_of_the_same_person_or_queue_are_taken_over_at_once() -> None:
    renamed = User(id="anna", name="Anna Berg", user_type="Member")
    moved = User(id="mette", name="Mette", email="mette@example.com", user_type="Contact")
    state = after(
        at("08:00", EndUserReplaced(new=METTE)),
        at("08:00", Assigned(agent=ANNA)),
        at("08:00", Enqueued(queue=Queue("support"))),
        seen("08:00:01", requester=moved, assignee=renamed, queue=SUPPORT),
    )
    assert (state.requester, state.assignee, state.queue) == (moved, renamed, SUPPORT)
    assert state.earlier_requesters == ()
    assert len(state.assignments) == 1


@pytest.mark.parametrize(
    ("road", "shown", "fact", "to"),
    [
        ([CREATED], "CLOSED", Closed(), "closed"),
        ([CREATED], "CLOSED", Abandoned(), "abandoned"),
        ([CREATED], "PENDING", FollowUpAdded(), "pending"),
        ([CREATED, at("08:10", Closed())], "OPEN", Reopened(), "open"),
        ([CREATED, at("08:10", FollowUpAdded())], "OPEN", FollowUpExpired(), "open"),
        ([], "OPEN", Created(), "open"),
    ],
)
@pytest.mark.parametrize("told_at", ["09:00:00.050", "09:00:10"])
def test_a_change_that_a_snapshot_showed_a_moment_before_its_own_event_was_not_missed(
    road: list[Event], shown: str, fact: Fact, to: str, told_at: str
) -> None:
    message = at("09:00", MessageAdded(), shows=Snapshot(status=shown))
    state = after(*road, message, at(told_at, fact, by=ANNA, shows=Snapshot(status=shown)))
    transition = state.life.transitions[-1]
    assert len(state.life.transitions) == len(road) + 1
    assert (transition.after, transition.event_id, wall(transition.at)) == (
        to,
        f"{type(fact).__name__}@{told_at}",
        told_at,
    )
    assert (transition.actor, transition.inferred, transition.irregular) == (ANNA, False, None)


def test_an_event_beyond_the_grace_does_not_explain_what_a_snapshot_showed() -> None:
    state = after(CREATED, seen("09:00", status="CLOSED"), at("09:00:10.001", Closed()))
    assert transitions(state)[1:] == [
        ("open", "closed", "09:00"),
        ("closed", "open", "09:00:10.001"),
        ("open", "closed", "09:00:10.001"),
    ]
    assert [one.inferred for one in state.life.transitions] == [False, True, True, False]


def test_an_event_that_says_something_else_does_not_explain_what_a_snapshot_showed() -> None:
    state = after(CREATED, seen("09:00", status="CLOSED"), at("09:00:01", Reopened()))
    assert transitions(state)[1:] == [("open", "closed", "09:00"), ("closed", "open", "09:00:01")]


@pytest.mark.parametrize(
    "ending",
    [
        seen("09:00", status="CLOSED"),
        at("09:00", FollowUpExpired(), shows=Snapshot(status="CLOSED")),
    ],
)
def test_a_close_that_only_a_snapshot_gave_away_ends_the_wait_in_the_queue(ending: Event) -> None:
    state = after(CREATED, at("08:01", Enqueued(queue=SUPPORT)), ending)
    assert visits(state) == [("Support", "08:01", "09:00", "closed")]


@pytest.mark.parametrize(("fact", "outcome"), [(Closed(), "closed"), (Abandoned(), "abandoned")])
def test_a_wait_ends_with_the_event_where_a_snapshot_showed_the_end_a_moment_before(
    fact: Fact, outcome: str
) -> None:
    state = after(
        CREATED,
        at("08:00:30", Enqueued(queue=LOGISTICS)),
        at("08:01", Enqueued(queue=SUPPORT)),
        seen("09:00", status="CLOSED"),
        at("09:00:00.020", fact),
    )
    assert visits(state) == [
        ("Logistics", "08:00:30", "08:01", "requeued"),
        ("Support", "08:01", "09:00:00.020", outcome),
    ]
