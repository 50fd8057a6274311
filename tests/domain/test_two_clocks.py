from story import ANNA, CSID, ORGANIZATION, after, arrived, at, clock, seen, transitions, wall

from dixa_state.domain.conversation import initial
from dixa_state.domain.events import (
    Assigned,
    Closed,
    Created,
    Event,
    FollowUpAdded,
    MessageAdded,
    Reopened,
    Snapshot,
    believed,
)
from dixa_state.domain.fold import evolve

# The close of 08:30 was on its way for an hour and a half.
HISTORY = (
    at("08:00", Created()),
    at("09:00", FollowUpAdded()),
    at("08:30", Closed(), by=ANNA, received="10:00"),
    at("11:00", Reopened()),
)


def ids(events: list[Event]) -> list[str]:
    return [event.event_id for event in events]


def test_four_questions_have_four_answers() -> None:
    now = after(*HISTORY)
    how_it_was = after(*HISTORY, as_of="08:45")
    what_we_believed = after(*HISTORY, known_at="09:30")
    what_we_believed_of_then = after(*HISTORY, as_of="08:45", known_at="09:30")
    assert [
        state.life.status for state in (now, how_it_was, what_we_believed, what_we_believed_of_then)
    ] == ["open", "closed", "pending", "open"]
    assert transitions(now) == [
        (None, "open", "08:00"),
        ("open", "closed", "08:30"),
        ("closed", "pending", "09:00"),
        ("pending", "open", "11:00"),
    ]
    assert transitions(how_it_was) == [(None, "open", "08:00"), ("open", "closed", "08:30")]
    assert transitions(what_we_believed) == [(None, "open", "08:00"), ("open", "pending", "09:00")]
    assert transitions(what_we_believed_of_then) == [(None, "open", "08:00")]


def test_a_late_event_changes_how_it_was_but_never_what_was_believed() -> None:
    before = HISTORY[:2]
    assert after(*HISTORY, known_at="09:30") == after(*before)
    assert after(*HISTORY, as_of="08:45") != after(*before, as_of="08:45")


def test_what_was_inferred_was_believed_until_the_missed_event_came() -> None:
    history = (
        at("08:00", Created()),
        seen("09:00", status="CLOSED"),
        at("08:30", Closed(), received="10:00"),
    )
    believed_then = after(*history, known_at="09:59").life.transitions[-1]
    known_now = after(*history).life.transitions[-1]
    assert (wall(believed_then.at), believed_then.inferred) == ("09:00", True)
    assert (wall(known_now.at), known_now.inferred) == ("08:30", False)


def test_both_moments_belong_to_what_is_asked_for() -> None:
    events = arrived(*HISTORY)
    assert ids(believed(events, as_of=clock("08:30"))) == ["Created@08:00", "Closed@08:30"]
    assert ids(believed(events, known_at=clock("10:00"))) == [
        "Created@08:00",
        "FollowUpAdded@09:00",
        "Closed@08:30",
    ]
    assert ids(believed(events, as_of=clock("08:29:59.999"))) == ["Created@08:00"]
    assert ids(believed(events, known_at=clock("09:59:59.999"))) == [
        "Created@08:00",
        "FollowUpAdded@09:00",
    ]


def test_without_a_moment_everything_is_believed_and_before_the_first_event_nothing() -> None:
    events = arrived(*HISTORY)
    assert believed(events) == events
    assert believed(events, as_of=clock("07:59")) == []
    assert believed(events, known_at=clock("07:59")) == []
    assert evolve(initial(ORGANIZATION, CSID)) == initial(ORGANIZATION, CSID)


def test_late_is_what_arrives_when_a_later_event_was_here_first() -> None:
    late = [event.event_id for event in arrived(*HISTORY) if event.late]
    assert late == ["Closed@08:30"]


def test_everything_is_late_after_the_newest_came_first() -> None:
    backwards = arrived(*sorted(HISTORY, key=lambda event: event.at, reverse=True))
    assert [event.late for event in backwards] == [False, True, True, True]


def test_nothing_is_late_in_order_however_long_it_was_on_its_way() -> None:
    slow = (
        at("08:00", Created(), received="12:00"),
        at("08:01", Closed(), received="12:00"),
        at("08:02", Reopened(), received="20:00"),
    )
    assert [event.late for event in arrived(*slow)] == [False, False, False]


def test_within_one_millisecond_late_goes_by_the_order_of_the_fold() -> None:
    created, message = at("08:00", Created()), at("08:00", MessageAdded())
    assert [event.late for event in arrived(created, message)] == [False, False]
    assert [event.late for event in arrived(message, created)] == [False, True]


def test_lateness_is_an_arrival_fact_and_changes_nothing_else() -> None:
    in_order = sorted(HISTORY, key=lambda event: event.at)
    late, punctual = after(*HISTORY), after(*in_order)
    assert (late.late, punctual.late) == (1, 0)
    assert transitions(late) == transitions(punctual)
    assert [transition.late for transition in late.life.transitions] == [False, True, False, False]


def test_the_state_counts_its_events_and_knows_the_newest_to_arrive() -> None:
    state = after(*HISTORY, as_of="08:45")
    assert (state.version, state.position, state.late) == (2, 3, 1)
    assert state.last_event_at == clock("08:30")


def test_evidence_from_beyond_the_moment_asked_for_counts_for_nothing() -> None:
    history = (
        at("08:00", Created()),
        at("08:30", Assigned(agent=ANNA)),
        at("09:00", MessageAdded(), shows=Snapshot(status="CLOSED", assignee=None)),
    )
    assert after(*history, as_of="08:59").assignee == ANNA
    assert after(*history, as_of="09:00").assignee is None
