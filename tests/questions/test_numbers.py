"""Counts, shares and durations: each number is that of the rows behind it."""

from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import EIGHT, Body, Place, histories, new_organization

from dixa_state.domain.conversation import Conversation, missed
from dixa_state.domain.events import SlaStatus
from dixa_state.questions import (
    Attainment,
    Bans,
    Conversations,
    Daily,
    Missed,
    SlaEvaluations,
    Stats,
    Transitions,
    describe,
)

SLA_STATUSES = get_args(SlaStatus)


@given(data=st.data())
@settings(max_examples=settings().max_examples // 3)
def test_each_count_is_the_length_of_the_list_with_its_value(
    place: Place, data: st.DataObject
) -> None:
    organization = new_organization()
    place.receive(data.draw(histories(organization)))
    stats = place.reader.ask(Stats(organization=organization))

    def length(**filters: Any) -> int:
        return len(place.whole(Conversations(organization=organization, **filters)))

    assert stats.conversations == length()
    for name, counts in {
        "status": {value: n for value, n in stats.by_status.items() if value != "none"},
        "sla": stats.by_sla_status,
        "queue": stats.by_queue,
        "assignee": stats.by_assignee,
    }.items():
        assert counts == {value: length(**{name: (value,)}) for value in counts}
    moves = place.whole(Transitions(organization=organization))
    assert stats.transitions == len(moves)
    ended = ("closed", "abandoned")
    assert stats.reopens == sum(
        move.from_status in ended and move.to_status not in ended for move in moves
    )
    assert stats.late == sum(move.late for move in moves)
    for flag in ("irregular", "inferred", "late"):
        flagged = place.whole(Transitions(organization=organization, **{flag: True}))
        assert getattr(stats, flag) == len(flagged)


@given(data=st.data())
@settings(max_examples=settings().max_examples // 3)
def test_each_cell_of_attainment_is_the_length_of_the_list_with_its_value(
    place: Place, data: st.DataObject
) -> None:
    organization = new_organization()
    place.receive(data.draw(histories(organization)))

    def length(**filters: Any) -> int:
        return len(place.whole(SlaEvaluations(organization=organization, **filters)))

    def shares(by: Any) -> list[Any]:
        return place.reader.ask(Attainment(organization=organization, by=by)).items

    for by in ("queue", "agent", "channel", "tag"):
        for share in shares(by):
            for status in SLA_STATUSES:
                value = {by: (share.value or "none",)}
                assert getattr(share, status) == length(status=(status,), **value)
    counted = (getattr(share, status) for share in shares("queue") for status in SLA_STATUSES)
    assert sum(counted) == length()
    for share in shares(None):
        assert [getattr(share, status) for status in SLA_STATUSES] == [
            length(status=(status,)) for status in SLA_STATUSES
        ]


def nearest_rank(values: list[float], share: float) -> float | None:
    return next((v for n, v in enumerate(sorted(values), 1) if n >= share * len(values)), None)


@given(data=st.data())
@settings(max_examples=settings().max_examples // 3)
def test_durations_are_measured_by_their_definitions(place: Place, data: st.DataObject) -> None:
    organization = new_organization()
    place.receive(data.draw(histories(organization, least=8)))
    states = [state for state, _ in place.conversations(organization)]
    expected: dict[str, list[float]] = {
        "first_response": [t for t in map(first_response, states) if t is not None],
        "first_resolution": [t for t in (resolution(s, 0) for s in states) if t is not None],
        "full_resolution": [t for t in (resolution(s, -1) for s in states) if t is not None],
        "queue_wait": [
            (visit.left_at - visit.enqueued_at).total_seconds()
            for state in states
            for visit in state.visits
            if visit.left_at and visit.outcome == "assigned" and visit.is_exact
        ],
    }
    stats = place.reader.ask(Stats(organization=organization))
    for name, values in expected.items():
        measure = stats.measures[name]
        assert measure.count == len(values)
        assert measure.p50 == nearest_rank(values, 0.5)
        assert measure.p90 == nearest_rank(values, 0.9)
        average = sum(values) / len(values) if values else None
        assert measure.average == (average if average is None else pytest.approx(average))
    for name, judged in shares(states).items():
        measure = stats.measures[name]
        assert measure.count == len(judged)
        share = sum(judged) / len(judged) if judged else None
        assert measure.average == (share if share is None else pytest.approx(share, abs=1e-6))


def shares(states: list[Conversation]) -> dict[str, list[bool]]:
    moves = [state.life.transitions for state in states]
    ends = [
        (number + 1 < len(of_one) and of_one[number + 1].after in ("open", "pending"))
        for of_one in moves
        for number, move in enumerate(of_one)
        if move.after in ("closed", "abandoned")
    ]
    visits = [visit for state in states for visit in state.visits]
    ratings = [rating for state in states for rating in state.ratings if rating.type == "Csat"]
    return {
        "csat": [rating.score in (4, 5) for rating in ratings],
        "abandon_rate": [visit.outcome == "abandoned" for visit in visits],
        "reopen_rate": ends,
    }


def first_response(state: Conversation) -> float | None:
    messages = state.messages
    if state.direction == "OUTBOUND" or begins_midlife(state):
        return None
    if messages.opening is None:
        return messages.responses[0].seconds if messages.responses else None
    if state.direction != "INBOUND" or state.created_at is None:
        return None
    return max((messages.opening.at - state.created_at).total_seconds(), 0.0)


def begins_midlife(state: Conversation) -> bool:
    """Whether the conversation had a life before our history, so that what is first is unknown."""
    if any(move.irregular != "history_starts_midlife" for move in state.life.transitions[:1]):
        return False
    if state.created_at is None or state.first_event_at is None:
        return True
    return (state.first_event_at - state.created_at).total_seconds() > 10


def resolution(state: Conversation, which: int) -> float | None:
    """The seconds to a close, unless its time is only an upper bound."""
    closes = [move for move in state.life.transitions if move.after == "closed"]
    if not closes or state.created_at is None:
        return None
    close = closes[which]
    summary = state.life.summary
    first_unknown = begins_midlife(state) or summary.first_closed_bound
    if close.inferred or close.irregular == "history_starts_midlife":
        return None
    if which == 0 and first_unknown:
        return None
    return max((close.at - state.created_at).total_seconds(), 0.0)


def test_the_example_day_in_numbers(day: Place) -> None:
    stats = day.reader.ask(Stats())
    counts = stats.model_dump(exclude={"labels", "measures", "groups", "compared", "poison"})
    assert {name: value for name, value in counts.items() if value is not None} == {
        "position": 45,
        "time_zone": "UTC",
        "conversations": 2,
        "transitions": 8,
        "by_status": {"abandoned": 1, "closed": 1},
        "by_sla_status": {"breached": 1, "voided": 1},
        "by_queue": {"Logistics": 1, "Support": 1},
        "by_assignee": {"none": 1, "Omar Lind": 1},
        "reopens": 1,
        "irregular": 0,
        "inferred": 0,
        "late": 0,
        "missed": 0,
    }
    durations = stats.measures
    assert (durations["abandon_rate"].average, durations["csat"].average) == (0.333333, 1.0)
    assert durations["first_response"].model_dump() == {
        "unit": "seconds",
        "cohort": "created",
        "count": 1,
        "upper_bounds": 0,
        "average": 390.0,
        "p50": 390.0,
        "p90": 390.0,
    }
    assert durations["first_resolution"].average == 6000.0
    assert durations["full_resolution"].average == 13800.0
    # open 8:00-8:09, 9:09-9:40, 11:00-11:50, and 8:30-8:31:15; pending 8:09-9:09
    assert (durations["open"].p50, durations["open"].p90) == (75.0, 5400.0)
    assert durations["pending"].average == 3600.0
    assert (durations["queue_wait"].count, durations["queue_wait"].cohort) == (2, "enqueued")


def test_the_attainment_of_the_example_day(day: Place) -> None:
    by_queue = day.reader.ask(Attainment(by="queue")).items
    assert [share.model_dump() for share in by_queue] == [
        {
            "by": "queue",
            "value": "Logistics",
            "label": "Logistics",
            "achieved": 0,
            "breached": 1,
            "pending": 0,
            "voided": 0,
            "attainment": 0.0,
            "attainment_before": None,
        },
        {
            "by": "queue",
            "value": "Support",
            "label": "Support",
            "achieved": 1,
            "breached": 0,
            "pending": 0,
            "voided": 1,
            "attainment": 1.0,
            "attainment_before": None,
        },
    ]
    # the tag was put on between the two outcomes
    for by, value, kept in (("tag", "replacement", (0, 1)), ("channel", "WIDGET_CHAT", (1, 1))):
        shares = {share.value: share for share in day.reader.ask(Attainment(by=by)).items}
        assert (shares[value].achieved, shares[value].breached) == kept
    by_agent = day.reader.ask(Attainment(by="agent")).items
    assert {share.value: (share.achieved, share.breached) for share in by_agent} == {
        "Ida Holm": (1, 0),
        "Omar Lind": (0, 1),
        None: (0, 0),
    }
    [bare] = day.reader.ask(Attainment(by="tag", tag=("none",))).items
    assert (bare.value, bare.voided) == (None, 1)


def test_time_in_a_status_that_still_holds_counts_to_now(place: Place) -> None:
    place.receive([created(1, {})])
    waited = (place.tracker.now() - EIGHT).total_seconds()
    assert place.reader.ask(Stats()).measures["open"].p50 == pytest.approx(waited, abs=60)


def test_queues_of_one_name_and_people_without_one_are_counted_apart(place: Place) -> None:
    ida, other, nameless = ({"id": "1", "name": "Ida"}, {"id": "2", "name": "Ida"}, {"id": "3"})
    queues = ({"id": "a", "name": "Help"}, {"id": "b", "name": "Help"}, {"id": "c"})
    agents = (ida, other, nameless)
    place.receive(
        [
            created(csid, {"assignee": agent, "queue": queue})
            for csid, (agent, queue) in enumerate(zip(agents, queues, strict=True), start=1)
        ]
    )
    place.receive([created(4, {"assignee": {"id": "4", "name": "Bo"}})])
    stats = place.reader.ask(Stats())
    assert stats.by_queue == {"a": 1, "b": 1, "c": 1, "none": 1}
    assert stats.by_assignee == {"1": 1, "2": 1, "3": 1, "Bo": 1}


def created(csid: int, shown: Body) -> Body:
    return {
        "event_id": f"created {csid}",
        "event_fqn": "CONVERSATION_CREATED",
        "event_timestamp": "2026-03-02T08:00:00Z",
        "organization": {"id": "org"},
        "data": {"conversation": {"csid": csid} | shown},
    }


def test_a_channel_may_be_asked_for_in_any_case(day: Place) -> None:
    for channel in ("widget_chat", "WIDGET_CHAT"):
        assert len(day.whole(SlaEvaluations(channel=(channel,)))) == 2


def test_channel_and_direction_compare_without_case_and_are_shown_as_dixa_wrote_them(
    place: Place,
) -> None:
    place.receive([created(1, {"channel": "WidgetChat", "direction": "Inbound"})])
    asked = Conversations(channel=("widgetchat",), direction=("INBOUND",))
    [found] = place.reader.ask(asked).items
    assert (found.channel, found.direction) == ("WidgetChat", "Inbound")


def sla(csid: int, status: str, deadline: str | None = None, at: str = "08:30") -> Body:
    return {
        "event_id": f"{status} {csid}",
        "event_fqn": f"SLA_EVALUATION_{status}",
        "event_timestamp": f"2026-03-02T{at}:00Z",
        "organization": {"id": "org"},
        "data": {
            "conversation": {"csid": csid},
            "sla_evaluation": {"id": f"sla {csid}", "deadline": deadline},
        },
    }


def test_what_is_due_soon_overdue_or_breached_can_be_asked_for(place: Place) -> None:
    now = place.tracker.now()
    due = {
        1: now + timedelta(minutes=30),
        2: now + timedelta(hours=2),
        3: now - timedelta(minutes=1),
    }
    place.receive([created(csid, {"status": "OPEN"}) for csid in range(1, 8)])
    place.receive([sla(csid, "PENDING", at.isoformat()) for csid, at in due.items()])
    place.receive([sla(csid, "BREACHED") for csid in (4, 5, 6)])
    place.receive([closed(5), sla(6, "ACHIEVED", at="09:00")])
    expected = {
        "due_soon": [1],
        "overdue": [3],
        "breached_open": [4],
        "breached_late": [6],
        "breached": [4, 5, 6],
        "pending": [1, 2, 3],
    }
    for state, csids in expected.items():
        evaluations = place.whole(SlaEvaluations(status=(state,)))
        assert [found.csid for found in evaluations] == csids, state
        listed = place.whole(Conversations(sla=(state,), sort="csid"))
        assert [found.csid for found in listed] == csids, state
    assert len(place.whole(SlaEvaluations(status=("due_soon", "overdue", "breached_late")))) == 3
    assert len(place.whole(Conversations(sla=("overdue", "breached", "none")))) == 5
    then = place.tracker.now()
    assert [s.csid for s in place.whole(Conversations(sla=("overdue",), as_of=then))] == [3]


def closed(csid: int, at: str = "08:45") -> Body:
    shown = {"event_fqn": "CONVERSATION_CLOSED", "event_timestamp": f"2026-03-02T{at}:00Z"}
    return created(csid, {"status": "CLOSED"}) | shown | {"event_id": f"closed {csid} {at}"}


def event(csid: int, fqn: str, at: str, **data: Any) -> Body:
    return {
        "event_id": f"{fqn} {csid} {at}",
        "event_fqn": f"CONVERSATION_{fqn}",
        "event_timestamp": f"2026-03-02T{at}:00Z",
        "organization": {"id": "org"},
        "data": {"conversation": {"csid": csid}, **data},
    }


def test_the_abandon_rate_does_not_change_when_somebody_comes_back(place: Place) -> None:
    queue = {"id": "q", "name": "Support"}
    place.receive(
        [
            *(created(csid, {"status": "OPEN"}) for csid in (1, 2)),
            *(event(csid, "ENQUEUED", "08:01", queue=queue) for csid in (1, 2)),
            event(1, "ASSIGNED", "08:02", agent={"id": "ida"}),
            event(2, "ABANDONED", "08:05", queue=queue),
        ]
    )
    monday = {"since": "2026-03-02T08:00:00Z", "until": "2026-03-02T09:00:00Z"}
    asked = Stats(), Stats(**monday), Stats(**monday, by="queue")
    rate = place.reader.ask(asked[0]).measures["abandon_rate"]
    assert (rate.count, rate.average) == (2, 0.5)
    place.receive([event(2, "OPEN", "10:00")])
    after = [place.reader.ask(question) for question in asked]
    assert after[0].by_status == {"open": 2}
    assert [one.measures["abandon_rate"] for one in after] == [rate] * 3
    [support] = after[2].groups
    assert support.measures["abandon_rate"] == rate


def test_a_history_that_starts_midlife_has_its_own_filter_and_is_not_irregular(
    place: Place,
) -> None:
    message = event(1, "MESSAGE_ADDED", "08:30")
    message["data"]["conversation"] |= {"status": "OPEN", "created_at": "2026-03-01T08:00:00Z"}
    place.receive([message, created(2, {"status": "OPEN"}), closed(2), closed(2, "09:00")])
    place.receive([event(2, "PENDING_EXPIRED", "10:00")])
    found = {
        (kind.__name__, mark): [one.csid for one in place.whole(kind(**{mark: True}))]
        for kind in (Conversations, Transitions)
        for mark in ("starts_midlife", "irregular")
    }
    assert found == {
        ("Conversations", "starts_midlife"): [1],
        ("Conversations", "irregular"): [2],
        ("Transitions", "starts_midlife"): [1],
        ("Transitions", "irregular"): [2],
    }
    assert place.reader.ask(Stats()).irregular == 1


def test_upper_bounds_are_no_part_of_a_median_and_are_counted_beside_it(place: Place) -> None:
    place.receive(
        [
            *(created(csid, {"status": "OPEN"}) for csid in (1, 2)),
            closed(1, "09:00"),
            event(2, "TYPING_STARTED", "12:00") | {"event_fqn": "TYPING_STARTED"},
            event(2, "NOTE_ADDED", "12:00")
            | {"data": {"conversation": {"csid": 2, "status": "CLOSED"}}},
        ]
    )
    durations = place.reader.ask(Stats()).measures
    for name in ("first_resolution", "full_resolution", "open"):
        measure = durations[name]
        assert (measure.count, measure.upper_bounds) == (1, 1), name
    assert durations["first_resolution"].p50 == 3600.0
    [loss] = place.whole(Missed())
    assert (loss.csid, loss.field, loss.proof, loss.event) == (
        *(2, "status", "inferred"),
        "conversation.note_added",
    )
    assert (clock(loss.after), clock(loss.before)) == ("08:00", "12:00")
    assert loss.event_id == "NOTE_ADDED 2 12:00"
    assert place.reader.ask(Stats()).missed == 1
    assert [state.csid for state in place.whole(Conversations(missed=True))] == [2]


def test_handling_times_are_upper_bounds_where_the_time_with_an_agent_is_one(place: Place) -> None:
    def assigned(csid: int) -> Body:
        made = event(csid, "ASSIGNED", "08:10")
        made["data"] |= {"agent": {"id": "ida"}, "user": {"id": "ida"}}
        return made

    def noted(csid: int, shown: dict[str, Any]) -> Body:
        made = event(csid, "NOTE_ADDED", "20:00")
        made["data"]["conversation"] |= shown
        return made

    place.receive(
        [made for csid in (1, 2, 3) for made in (created(csid, {"status": "OPEN"}), assigned(csid))]
    )
    place.receive([noted(1, {"assignee": None}), noted(2, {"status": "CLOSED"})])
    place.receive([closed(csid, "21:00") for csid in (1, 3)])
    states = {one.csid: one for one in place.whole(Conversations())}
    bounds = {
        csid: "assigned" in describe(one, now=EIGHT).durations.upper_bounds
        for csid, one in states.items()
    }
    assert bounds == {1: True, 2: True, 3: False}
    found = place.reader.ask(Stats()).measures["handling_time"]
    assert (found.count, found.upper_bounds, found.p50) == (1, 2, 46_200.0)


def clock(time: datetime | None) -> str:
    return f"{time:%H:%M}"


def test_a_status_that_began_after_now_has_taken_no_time_yet(place: Place) -> None:
    tomorrow = (place.tracker.now() + timedelta(days=1)).isoformat()
    place.receive([created(1, {"status": "OPEN"}) | {"event_timestamp": tomorrow}])
    assert place.reader.ask(Stats()).measures["open"].p50 == 0.0


@given(data=st.data())
@settings(max_examples=settings().max_examples // 3)
def test_what_was_missed_is_what_each_state_has_lost(place: Place, data: st.DataObject) -> None:
    organization = new_organization()
    place.receive(data.draw(histories(organization, least=8)))
    expected = [
        (state.csid, loss.field, loss.event_id, loss.after, loss.at)
        for state, _ in place.conversations(organization)
        for loss in missed(state)
    ]
    found = place.whole(Missed(organization=organization))
    listed = [(one.csid, one.field, one.event_id, one.after, one.before) for one in found]
    assert sorted(listed) == sorted(expected)
    assert listed == sorted(listed, key=lambda one: (one[0], one[-1]))  # several at one time
    lossy = place.whole(Conversations(organization=organization, missed=True, sort="csid"))
    assert [state.csid for state in lossy] == sorted({csid for csid, *_ in expected})


def test_the_bans_of_the_example_day(day: Place, day_expected: dict[str, Any]) -> None:
    bans = day.whole(Bans(history=True))
    assert day.whole(Bans()) == [ban for ban in bans if ban.banned]
    assert {
        "endusers": {ban.user.email: ban.banned for ban in bans if ban.user},
        "ips": {ban.id: ban.banned for ban in bans if ban.kind == "ip"},
    } == day_expected["bans"]


def test_days_are_those_of_utc_and_count_what_the_list_lists(place: Place) -> None:
    around = [
        ("2026-03-01T23:59:59.999Z", "CONVERSATION_CREATED"),
        ("2026-03-02T00:00:00.000Z", "CONVERSATION_CLOSED"),
        ("2026-03-03T12:00:00.000Z", "CONVERSATION_OPEN"),
    ]
    place.receive(
        [
            created(1, {}) | {"event_id": at, "event_fqn": fqn, "event_timestamp": at}
            for at, fqn in around
        ]
    )
    days = place.reader.ask(Daily()).items
    assert [(str(d.day), d.began, d.opened, d.closed, d.reopens) for d in days] == [
        ("2026-03-01", 1, 1, 0, 0),
        ("2026-03-02", 0, 0, 1, 0),
        ("2026-03-03", 0, 1, 0, 1),
    ]
