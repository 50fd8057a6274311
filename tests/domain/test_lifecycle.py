from itertools import permutations

import pytest
from story import ANNA, OMAR, after, at, named, seen, transitions, wall

from dixa_state.domain.events import (
    Abandoned,
    Assigned,
    Closed,
    Created,
    Event,
    Fact,
    FollowUpAdded,
    FollowUpExpired,
    MessageAdded,
    Reopened,
    Snapshot,
    Unassigned,
)
from dixa_state.domain.lifecycle import Irregularity, Status, status_from_dixa

CREATED = at("08:00", Created())
ROADS: dict[Status | None, list[Event]] = {
    None: [],
    "open": [CREATED],
    "pending": [CREATED, at("08:10", FollowUpAdded())],
    "closed": [CREATED, at("08:10", Closed())],
    "abandoned": [CREATED, at("08:10", Abandoned())],
}
UNEXPECTED: Irregularity = "unexpected_from"
MIDLIFE: Irregularity = "history_starts_midlife"
STAYS = "stays"
REOPENS = "reopens"  # a reopening in between was lost
REGULAR = None
TABLE: dict[type[Fact], tuple[Status, dict[Status | None, Irregularity | str | None]]] = {
    Created: (
        "open",
        {
            None: REGULAR,
            "open": STAYS,
            "pending": UNEXPECTED,
            "closed": UNEXPECTED,
            "abandoned": UNEXPECTED,
        },
    ),
    Reopened: (
        "open",
        {
            None: MIDLIFE,
            "open": STAYS,
            "pending": REGULAR,
            "closed": REGULAR,
            "abandoned": REGULAR,
        },
    ),
    FollowUpAdded: (
        "pending",
        {
            None: MIDLIFE,
            "open": REGULAR,
            "pending": STAYS,
            "closed": UNEXPECTED,
            "abandoned": UNEXPECTED,
        },
    ),
    FollowUpExpired: (
        "open",
        {
            None: MIDLIFE,
            "open": STAYS,
            "pending": REGULAR,
            "closed": UNEXPECTED,
            "abandoned": UNEXPECTED,
        },
    ),
    Closed: (
        "closed",
        {
            None: MIDLIFE,
            "open": REGULAR,
            "pending": REGULAR,
            "closed": REOPENS,
            "abandoned": UNEXPECTED,
        },
    ),
    Abandoned: (
        "abandoned",
        {
            None: MIDLIFE,
            "open": REGULAR,
            "pending": REGULAR,
            "closed": UNEXPECTED,
            "abandoned": REOPENS,
        },
    ),
}


@pytest.mark.parametrize(
    ("fact", "before"),
    [
        pytest.param(fact, before, id=f"{fact.__name__}-{before}")
        for fact in TABLE
        for before in ROADS
    ],
)
def test_every_event_is_accepted_in_every_status_and_judged_by_the_table(
    fact: type[Fact], before: Status | None
) -> None:
    to, verdicts = TABLE[fact]
    road = ROADS[before]
    state = after(*road, at("09:00", fact()))
    assert state.life.status == to
    if verdicts[before] == STAYS:
        assert state.life.transitions == after(*road).life.transitions
        return
    last = state.life.transitions[-1]
    if verdicts[before] == REOPENS:
        reopened = state.life.transitions[-2]
        assert (reopened.before, reopened.after, reopened.inferred) == (before, "open", True)
        assert (last.before, last.after, last.irregular) == ("open", to, None)
        return
    assert (last.before, last.after, wall(last.at)) == (before, to, "09:00")
    assert last.irregular == verdicts[before]
    assert not last.inferred


def test_every_status_is_reached_regularly_from_the_creation() -> None:
    for road in ROADS.values():
        assert [transition.irregular for transition in after(*road).life.transitions] == [
            None
        ] * len(road)


def test_a_repeat_within_the_grace_leaves_the_status_as_old_as_it_was() -> None:
    state = after(CREATED, at("09:00", Closed()), at("09:00:10", Closed()))
    assert transitions(state) == [(None, "open", "08:00"), ("open", "closed", "09:00")]
    assert wall(state.life.since) == "09:00"


def test_a_transition_names_its_event_its_author_and_the_time_in_the_status_before() -> None:
    state = after(CREATED, at("09:00:00.500", Closed(), by=ANNA, received="09:00:07"))
    transition = state.life.transitions[-1]
    assert (transition.sequence, transition.event_id, transition.topic) == (
        2,
        "Closed@09:00:00.500",
        "conversation.closed",
    )
    assert transition.actor == ANNA
    assert wall(transition.received_at) == "09:00:07"
    assert transition.seconds_in_previous == 3600.5


def test_the_first_transition_has_no_status_before_and_no_time_in_it() -> None:
    (transition,) = after(CREATED).life.transitions
    assert (transition.sequence, transition.before, transition.seconds_in_previous) == (
        1,
        None,
        None,
    )


def test_transitions_are_counted_from_one_in_event_time_order_whatever_the_arrival() -> None:
    state = after(at("09:00", Closed()), at("10:00", Reopened()), CREATED)
    assert [(transition.sequence, transition.after) for transition in state.life.transitions] == [
        (1, "open"),
        (2, "closed"),
        (3, "open"),
    ]


def test_only_the_first_transition_of_a_history_that_starts_midlife_is_marked() -> None:
    state = after(at("09:00", FollowUpAdded()), at("10:00", FollowUpExpired()))
    assert [transition.irregular for transition in state.life.transitions] == [
        "history_starts_midlife",
        None,
    ]


def test_a_creation_that_is_not_the_first_word_is_unexpected() -> None:
    state = after(at("07:00", Closed()), CREATED)
    assert [transition.irregular for transition in state.life.transitions] == [
        "history_starts_midlife",
        "unexpected_from",
    ]


def test_abandoned_while_its_own_snapshot_shows_an_assignee_is_irregular() -> None:
    assigned = CREATED, at("08:10", Assigned(agent=ANNA))
    state = after(*assigned, at("08:20", Abandoned(), shows=Snapshot(assignee=ANNA)))
    assert state.life.status == "abandoned"
    assert state.life.transitions[-1].irregular == "abandoned_with_assignee"
    hidden = after(*assigned, at("08:20", Abandoned()))
    assert hidden.life.transitions[-1].irregular is None


def test_abandoned_after_the_agent_was_taken_off_is_regular() -> None:
    state = after(
        CREATED,
        at("08:10", Assigned(agent=ANNA)),
        at("08:20", Unassigned(agent=ANNA)),
        at("08:30", Abandoned()),
    )
    assert state.life.transitions[-1].irregular is None


def test_abandoned_from_closed_is_unexpected_before_anything_else() -> None:
    state = after(
        CREATED, at("08:10", Assigned(agent=ANNA)), at("08:20", Closed()), at("08:30", Abandoned())
    )
    assert state.life.transitions[-1].irregular == "unexpected_from"


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("OPEN", "open"),
        ("PENDING", "pending"),
        ("CLOSED", "closed"),
        ("Closed", "closed"),
        ("AWAITING_PENDING", "open"),
        ("SOMETHING_NEW", "open"),
        (None, "open"),
    ],
)
def test_a_creation_takes_the_status_that_its_snapshot_shows(
    shown: str | None, status: Status
) -> None:
    state = after(at("08:00", Created(), shows=Snapshot(status=shown)))
    (transition,) = state.life.transitions
    assert (transition.before, transition.after, transition.irregular, transition.inferred) == (
        None,
        status,
        None,
        False,
    )


@pytest.mark.parametrize(
    ("shown", "status"),
    [("OPEN", "open"), ("CLOSED", "closed"), ("AWAITING_PENDING", "open"), (None, "open")],
)
def test_an_expired_follow_up_leads_to_open_or_to_the_status_that_the_snapshot_shows(
    shown: str | None, status: Status
) -> None:
    state = after(*ROADS["pending"], at("09:00", FollowUpExpired(), shows=Snapshot(status=shown)))
    assert transitions(state)[-1] == ("pending", status, "09:00")
    assert state.life.transitions[-1].irregular is None


def test_a_snapshot_that_still_says_pending_when_the_follow_up_expired_is_stale() -> None:
    state = after(
        *ROADS["pending"], at("09:00", FollowUpExpired(), shows=Snapshot(status="PENDING"))
    )
    assert state.life.status == "open"
    assert state.dixa_status == "PENDING"


@pytest.mark.parametrize("fact", [Created(), FollowUpExpired(), MessageAdded()])
def test_a_closed_snapshot_never_turns_abandoned_into_closed(fact: Fact) -> None:
    state = after(*ROADS["abandoned"], at("12:00", fact, shows=Snapshot(status="CLOSED")))
    assert state.life.status == "abandoned"
    assert len(state.life.transitions) == 2
    assert state.dixa_status == "CLOSED"


def test_an_event_that_says_closed_does_turn_abandoned_into_closed() -> None:
    state = after(*ROADS["abandoned"], at("12:00", Closed()))
    assert transitions(state)[-1] == ("abandoned", "closed", "12:00")


@pytest.mark.parametrize("road", list(ROADS.values()), ids=str)
def test_awaiting_pending_changes_the_dixa_status_only(road: list[Event]) -> None:
    state = after(*road, seen("12:00", status="AWAITING_PENDING"))
    assert state.life.transitions == (after(*road).life.transitions if road else ())
    assert state.dixa_status == "AWAITING_PENDING"


def test_the_dixa_status_is_the_newest_shown_word_for_word() -> None:
    state = after(
        seen("08:00", status="Open"), seen("08:01", status="Whatever"), seen("08:02", status=None)
    )
    assert state.dixa_status == "Whatever"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("OPEN", "open"),
        ("Open", "open"),
        ("Pending", "pending"),
        ("closed", "closed"),
        ("AwaitingPending", None),
        ("AWAITING_PENDING", None),
        ("ABANDONED", None),
        ("", None),
        (None, None),
    ],
)
def test_only_dixas_three_statuses_speak_of_the_lifecycle(
    text: str | None, status: Status | None
) -> None:
    assert status_from_dixa(text) == status


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (Created(), Closed()),
        (Created(), Abandoned()),
        (Created(), FollowUpAdded()),
        (Reopened(), Closed()),
        (FollowUpExpired(), FollowUpAdded()),
        (FollowUpAdded(), Closed()),
    ],
)
def test_in_one_millisecond_what_begins_comes_before_what_ends(earlier: Fact, later: Fact) -> None:
    one, two = named("z", at("08:00", earlier)), named("a", at("08:00", later))
    assert transitions(after(two, one)) == transitions(after(one, two))
    assert after(two, one).life.transitions[-1].event_id == "a"


def test_within_one_kind_and_millisecond_the_event_id_decides() -> None:
    one = named("a", at("08:00", Closed(), by=ANNA))
    two = named("b", at("08:00", Closed(), by=OMAR))
    for events in permutations((one, two)):
        assert after(*events).life.transitions[0].actor == ANNA


def test_reopening_counts_from_closed_and_from_abandoned_but_not_from_pending() -> None:
    for before, reopened in (("closed", True), ("abandoned", True), ("pending", False)):
        state = after(*ROADS[before], at("12:00", Reopened()))
        assert state.life.transitions[-1].is_reopen is reopened
        assert state.life.summary.reopens == reopened
