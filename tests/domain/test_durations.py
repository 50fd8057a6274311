import pytest
from story import ANNA, BOT, CSID, METTE, OMAR, ORGANIZATION, SUPPORT, after, at, clock

from dixa_state.domain.conversation import Conversation, initial
from dixa_state.domain.events import (
    Abandoned,
    Assigned,
    Closed,
    Created,
    Enqueued,
    Event,
    FollowUpAdded,
    FollowUpExpired,
    MessageAdded,
    NoteAdded,
    Rated,
    Reopened,
    Snapshot,
    TransferredToAgent,
    Unassigned,
    User,
)
from dixa_state.domain.metrics import (
    Durations,
    durations,
    first_response,
    starts_midlife,
    status_intervals,
    upper_bounds,
)
from dixa_state.views.rows import rows
from dixa_state.views.tables import ConversationRow, QueueVisitRow

DAY = (
    at("08:00", Created(), shows=Snapshot(created_at=clock("07:59:59"), direction="INBOUND")),
    at("08:00", MessageAdded(direction="inbound", author=METTE)),
    at("08:00:01", MessageAdded(direction="outbound", author=BOT)),
    at("08:01", Enqueued(queue=SUPPORT)),
    at("08:06", Assigned(agent=ANNA)),
    at("08:10", MessageAdded(direction="outbound", author=ANNA)),
    at("08:20", FollowUpAdded()),
    at("09:20", FollowUpExpired()),
    at("09:30", Closed()),
    at("11:00", Reopened()),
    at("11:00:00.010", MessageAdded(direction="inbound", author=METTE)),
    at("11:10", TransferredToAgent(agent=OMAR)),
    at("11:10:00.010", MessageAdded(direction="outbound", author=OMAR)),
    at("11:20", Unassigned(agent=OMAR)),
    at("11:20", Enqueued(queue=SUPPORT)),
    at("11:50", Closed()),
)


def test_a_day_in_numbers() -> None:
    assert durations(after(*DAY), clock("12:00")) == Durations(
        first_response=600.0,
        next_responses=(600.0,),
        first_resolution=5401.0,
        full_resolution=13801.0,
        in_status={"open": 4800.0, "pending": 3600.0, "closed": 6000.0, "abandoned": 0.0},
        queue_wait=2100.0,
        assigned=6240.0,
    )


def test_what_still_runs_is_counted_to_the_moment_asked_for() -> None:
    running = after(*DAY[:5])
    assert durations(running, clock("08:06")).in_status["open"] == 360.0
    assert durations(running, clock("08:16")).in_status["open"] == 960.0
    assert durations(running, clock("08:06")).assigned == 0.0
    assert durations(running, clock("08:16")).assigned == 600.0
    assert durations(after(*DAY[:4]), clock("08:03:30")).queue_wait == 150.0


def test_a_moment_before_everything_gives_nothing_less_than_nothing() -> None:
    measured = durations(after(*DAY[:5]), clock("07:00"))
    assert set(measured.in_status.values()) == {0.0}
    assert measured.assigned == 0.0


def test_before_the_first_event_there_is_nothing_to_measure() -> None:
    assert durations(initial(ORGANIZATION, CSID), clock("08:00")) == Durations(
        first_response=None,
        next_responses=(),
        first_resolution=None,
        full_resolution=None,
        in_status={"open": 0.0, "pending": 0.0, "closed": 0.0, "abandoned": 0.0},
        queue_wait=None,
        assigned=None,
    )


def test_intervals_are_half_open_so_each_moment_counts_once() -> None:
    life = after(*DAY).life
    everything = status_intervals(life, clock("12:00"))
    assert [interval for status, interval in everything if status == "open"] == [
        (clock("08:00"), clock("08:20")),
        (clock("09:20"), clock("09:30")),
        (clock("11:00"), clock("11:50")),
    ]
    ends = [end for _, (_, end) in everything[:-1]]
    assert ends == [start for _, (start, _) in everything[1:]]


def test_the_interval_that_runs_is_cut_at_the_moment_and_never_turned_around() -> None:
    life = after(*DAY[:1]).life
    begun = clock("08:00")
    assert status_intervals(life, clock("08:30")) == [("open", (begun, clock("08:30")))]
    assert status_intervals(life, clock("07:30")) == [("open", (begun, begun))]


def test_an_agent_holds_a_closed_conversation_but_spends_no_time_on_it() -> None:
    state = after(
        at("08:00", Created()),
        at("08:00", Assigned(agent=ANNA)),
        at("09:00", Closed()),
        at("10:00", Reopened()),
        at("10:30", Closed()),
    )
    assert durations(state, clock("20:00")).assigned == 5400.0


def test_pending_counts_as_assigned() -> None:
    state = after(
        at("08:00", Created()), at("08:00", Assigned(agent=ANNA)), at("08:30", FollowUpAdded())
    )
    assert durations(state, clock("09:00")).assigned == 3600.0


def test_resolutions_go_to_the_first_and_to_the_last_close() -> None:
    state = after(*DAY)
    closes = state.life.summary
    assert (closes.first_closed_at, closes.last_closed_at) == (clock("09:30"), clock("11:50"))
    reopened = durations(after(*DAY[:10]), clock("11:05"))
    assert reopened.first_resolution == reopened.full_resolution == 5401.0


def test_to_be_abandoned_is_no_resolution_but_ends_the_wait() -> None:
    state = after(
        at("08:00", Created()),
        at("08:00", Enqueued(queue=SUPPORT)),
        at("08:01:15", Abandoned(queue=SUPPORT)),
    )
    measured = durations(state, clock("09:00"))
    assert (measured.first_resolution, measured.full_resolution) == (None, None)
    assert (measured.queue_wait, measured.in_status["abandoned"]) == (75.0, 3525.0)


def test_without_a_beginning_there_is_no_resolution_time() -> None:
    assert durations(after(at("09:00", Closed())), clock("10:00")).first_resolution is None


def test_a_creation_that_dixa_dates_after_the_close_is_no_time_below_zero() -> None:
    state = after(at("09:00", Closed(), shows=Snapshot(created_at=clock("09:00:00.500"))))
    measured = durations(state, clock("10:00"))
    assert (measured.first_resolution, measured.full_resolution) == (0.0, 0.0)


def exchange(first: User, *, direction: str | None = None) -> tuple[Event, ...]:
    return (
        at("07:00", Created(), shows=Snapshot(direction=direction)),
        at("08:00", MessageAdded(direction="outbound", author=first)),
        at("09:00", MessageAdded(direction="inbound", author=METTE)),
        at("09:10", MessageAdded(direction="outbound", author=ANNA)),
        at("10:00", MessageAdded(direction="inbound", author=METTE)),
        at("10:20", MessageAdded(direction="outbound", author=ANNA)),
    )


@pytest.mark.parametrize(
    "events", [exchange(ANNA), exchange(BOT, direction="OUTBOUND")], ids=["message", "direction"]
)
def test_where_the_agent_began_there_is_no_first_response_but_every_gap_is_a_next_one(
    events: tuple[Event, ...],
) -> None:
    measured = durations(after(*events), clock("11:00"))
    assert measured.first_response is None
    assert measured.next_responses == (600.0, 1200.0)


def test_an_automatic_greeting_does_not_take_the_first_response_away() -> None:
    measured = durations(after(*exchange(BOT, direction="INBOUND")), clock("11:00"))
    assert (measured.first_response, measured.next_responses) == (600.0, (1200.0,))


def inbound(*events: Event, direction: str | None = "INBOUND") -> Conversation:
    shown = Snapshot(created_at=clock("08:00"), direction=direction)
    return after(at("08:00", Created(), shows=shown), *events)


ANSWER = at("08:10", MessageAdded(direction="outbound", author=ANNA))


def test_where_the_first_inbound_message_was_lost_the_first_response_counts_from_creation() -> None:
    state = inbound(
        at("08:00:05", MessageAdded(direction="outbound", author=BOT)),
        ANSWER,
        at("09:00", MessageAdded(direction="inbound", author=METTE)),
        at("09:05", MessageAdded(direction="outbound", author=ANNA)),
    )
    measured = durations(state, clock("10:00"))
    assert (measured.first_response, measured.next_responses) == (600.0, (300.0,))
    response = first_response(state)
    assert response is not None
    assert (response.answered_at, response.agent) == (clock("08:10"), ANNA)
    assert upper_bounds(state).times == frozenset()


@pytest.mark.parametrize("direction", ["OUTBOUND", "Outbound", None])
def test_a_conversation_that_an_agent_began_has_no_first_response(direction: str | None) -> None:
    state = inbound(ANSWER, direction=direction)
    assert durations(state, clock("10:00")).first_response is None


def test_dixas_direction_decides_who_began_whoever_wrote_first() -> None:
    outbound = inbound(
        at("08:05", MessageAdded(direction="inbound", author=METTE)), ANSWER, direction="OUTBOUND"
    )
    assert durations(outbound, clock("10:00")).first_response is None
    assert durations(outbound, clock("10:00")).next_responses == (300.0,)


def test_times_before_the_history_that_we_have_are_upper_bounds() -> None:
    shown = Snapshot(status="OPEN", created_at=clock("06:00"), direction="INBOUND", assignee=ANNA)
    state = after(
        at("09:00", MessageAdded(direction="inbound", author=METTE), shows=shown),
        at("09:10", MessageAdded(direction="outbound", author=ANNA), shows=shown),
        at("09:30", Closed()),
    )
    assert starts_midlife(state)
    bounds = upper_bounds(state)
    assert bounds.times == {"first_response_at", "first_assigned_at", "first_closed_at"}
    assert bounds.durations == {"first_response", "first_resolution", "open", "assigned"}
    (row,) = (row for row in rows("conversation/1/1", state) if isinstance(row, ConversationRow))
    assert (row.starts_midlife, row.irregular) == (True, 0)
    assert (row.first_response, row.first_response_bound) == (None, True)
    assert (row.first_resolution, row.first_resolution_bound) == (None, True)
    assert (row.full_resolution, row.full_resolution_bound) == (12_600.0, False)


def test_the_first_status_of_a_history_that_starts_midlife_may_have_held_before() -> None:
    state = after(at("09:00", Reopened(), shows=Snapshot(created_at=clock("06:00"))))
    assert upper_bounds(state).durations == {"open"}


def test_a_history_that_lacks_only_the_creation_is_as_good_as_whole() -> None:
    shown = Snapshot(status="OPEN", created_at=clock("08:59:59"), direction="INBOUND")
    state = after(at("09:00", MessageAdded(direction="inbound", author=METTE), shows=shown))
    assert not starts_midlife(state)


def test_a_rating_alone_gives_a_closing_time_that_is_marked_as_an_upper_bound() -> None:
    shown = Snapshot(status="CLOSED", created_at=clock("06:00"), assignee=ANNA)
    state = after(at("09:00", Rated(type="Csat", score=5), shows=shown))
    assert upper_bounds(state).times == {"first_closed_at", "last_closed_at", "first_assigned_at"}
    (row,) = (row for row in rows("conversation/1/1", state) if isinstance(row, ConversationRow))
    assert (row.first_resolution, row.full_resolution) == (None, None)
    assert (row.first_resolution_bound, row.full_resolution_bound) == (True, True)


def test_an_inferred_close_and_an_inferred_assignment_are_upper_bounds() -> None:
    shown = Snapshot(status="CLOSED", assignee=ANNA)
    state = inbound(at("09:00", NoteAdded(), shows=shown))
    bounds = upper_bounds(state)
    assert bounds.times == {"first_closed_at", "last_closed_at", "first_assigned_at"}
    assert bounds.durations == {
        "first_resolution",
        "full_resolution",
        "open",
        "closed",
        "assigned",
    }


def test_a_visit_whose_end_was_lost_counts_in_no_wait() -> None:
    state = inbound(
        at("08:01", Enqueued(queue=SUPPORT)),
        at("20:00", Reopened()),
        at("20:00", Enqueued(queue=SUPPORT)),
        at("20:05", Assigned(agent=ANNA)),
    )
    assert durations(state, clock("21:00")).queue_wait == 300.0
    waits = [row.wait for row in rows("conversation/1/1", state) if isinstance(row, QueueVisitRow)]
    assert waits == [None, 300.0]


def test_what_an_extreme_history_was_assigned_for_is_summed_in_one_walk() -> None:
    events = []
    for minute in range(40):
        events += [
            at(f"09:{minute:02}", Assigned(agent=ANNA if minute % 2 else OMAR)),
            at(f"09:{minute:02}:20", FollowUpAdded()),
            at(f"09:{minute:02}:40", Closed()),
            at(f"09:{minute:02}:50", Reopened()),
        ]
    assert durations(inbound(*events), clock("09:40")).assigned == 40 * 40.0 + 39 * 10.0 + 10.0
