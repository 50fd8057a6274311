import pytest
from story import ANNA, BOT, CSID, METTE, OMAR, ORGANIZATION, SUPPORT, after, at, clock

from dixa_state.domain.conversation import initial
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
    Reopened,
    Snapshot,
    TransferredToAgent,
    Unassigned,
    User,
)
from dixa_state.domain.metrics import Durations, closed_at, durations, status_intervals

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
    opened = status_intervals(life, clock("12:00"), {"open"})
    assert opened == [
        (clock("08:00"), clock("08:20")),
        (clock("09:20"), clock("09:30")),
        (clock("11:00"), clock("11:50")),
    ]
    everything = status_intervals(life, clock("12:00"), {"open", "pending", "closed", "abandoned"})
    assert [end for _, end in everything[:-1]] == [start for start, _ in everything[1:]]


def test_the_interval_that_runs_is_cut_at_the_moment_and_never_turned_around() -> None:
    life = after(*DAY[:1]).life
    assert status_intervals(life, clock("08:30"), {"open"}) == [(clock("08:00"), clock("08:30"))]
    assert status_intervals(life, clock("07:30"), {"open"}) == [(clock("08:00"), clock("08:00"))]


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
    assert closed_at(state.life) == [clock("09:30"), clock("11:50")]
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
