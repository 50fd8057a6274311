"""Numbers over a period: what people write for moments, whose hours count, and two side by side."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from places import Body, Place
from pydantic import ValidationError

from dixa_state.errors import InvalidInputError
from dixa_state.questions import Attainment, SlaEvaluations, Stats
from dixa_state.questions.business_hours import read_business_hours
from dixa_state.questions.periods import read_moment, read_period
from dixa_state.views.tables import micros

NOW = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)  # a Wednesday, and Thursday already in Copenhagen
COPENHAGEN = ZoneInfo("Europe/Copenhagen")


@pytest.mark.parametrize(
    ("text", "utc", "copenhagen"),
    [
        ("today", "2026-03-04T00:00", "2026-03-04T23:00"),
        ("yesterday", "2026-03-03T00:00", "2026-03-03T23:00"),
        ("2026-W10", "2026-03-02T00:00", "2026-03-01T23:00"),
        ("2026-07", "2026-07-01T00:00", "2026-06-30T22:00"),
        ("2026-03-02", "2026-03-02T00:00", "2026-03-01T23:00"),
        ("-7d", "2026-02-25T23:30", "2026-02-25T23:30"),
        ("-12h", "2026-03-04T11:30", "2026-03-04T11:30"),
        ("2026-03-02T08:00:00+01:00", "2026-03-02T07:00", "2026-03-02T07:00"),
    ],
)
def test_a_moment_is_when_what_is_named_begins(text: str, utc: str, copenhagen: str) -> None:
    for zone, expected in ((ZoneInfo("UTC"), utc), (COPENHAGEN, copenhagen)):
        assert read_moment(text, NOW, zone) == datetime.fromisoformat(f"{expected}+00:00")


@pytest.mark.parametrize(
    "wrong",
    [
        {"since": "tomorrow"},
        {"since": "2026-W54"},
        {"until": "-7y"},
        {"time_zone": "Europe/Kopenhagen"},
        {"time_zone": "../etc/passwd"},
        {"compare": "7d"},
        {"by": "week"},
        {"business_hours": "monday = "},
        {"business_hours": "monday = '17:00-09:00'"},
        {"business_hours": "moonday = '09:00-17:00'"},
    ],
)
def test_what_no_period_can_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, InvalidInputError), match=next(iter(wrong))):
        Stats(**wrong)


def test_a_period_begins_before_it_ends() -> None:
    with pytest.raises(InvalidInputError, match="since: expected a time before"):
        read_period("today", "yesterday", NOW, COPENHAGEN)


HOURS = """
time_zone = "Europe/Copenhagen"
monday = "08:00-12:00, 12:30-16:00"
tuesday = "08:00-16:00"
sunday = "00:00-24:00"
holidays = [2026-03-10]

[organizations.night]
tuesday = "22:00-24:00"
wednesday = "00:00-06:00"
"""


@pytest.mark.parametrize(
    ("organization", "begin", "end", "hours"),
    [
        ("org", "2026-03-02T07:00", "2026-03-02T15:00", 7.5),
        ("org", "2026-03-02T11:10", "2026-03-02T11:20", 0),
        ("org", "2026-03-02T14:00", "2026-03-03T08:00", 2),
        ("org", "2026-03-02T15:00", "2026-03-03T07:00", 0),
        ("org", "2026-03-09T00:00", "2026-03-15T00:00", 8.5),
        ("org", "2026-03-27T22:00", "2026-03-30T22:00", 23 + 7.5),
        ("org", "0001-01-01T00:00", "1999-01-01T00:00", 0),
        ("night", "2026-03-03T21:00", "2026-03-04T21:00", 8),
    ],
)
def test_closed_hours_do_not_count(organization: str, begin: str, end: str, hours: float) -> None:
    calendar = read_business_hours(HOURS).of(organization)
    span = (micros(datetime.fromisoformat(f"{at}+00:00")) for at in (begin, end))
    assert calendar.open_during(*span) == hours * 3_600_000_000


def test_the_example_in_the_docs_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "numbers.md").read_text("utf-8")
    hours = read_business_hours(page.partition("```toml\n")[2].partition("```")[0])
    assert hours.friday == "08:00-15:00"
    assert list(hours.organizations) == ["5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"]


def event(csid: int, at: str, fqn: str, **data: object) -> Body:
    return {
        "event_id": f"{csid} {fqn} {at}",
        "event_fqn": f"CONVERSATION_{fqn}",
        "event_timestamp": f"{at}Z",
        "organization": {"id": "org"},
        "data": {"conversation": {"csid": csid, "direction": "INBOUND"}, **data},
    }


IDA, BO = ({"id": name, "name": name.title(), "user_type": "Member"} for name in ("ida", "bo"))
SUPPORT, SALES = ({"id": name, "name": name.title()} for name in ("support", "sales"))


def day_of(day: str, csid: int, minutes: int, agent: Body, queue: Body) -> list[Body]:
    """A conversation of a day: answered and closed after so many minutes by an agent."""
    at = datetime.fromisoformat(f"{day}T23:30:00")
    then = (at + timedelta(minutes=minutes)).isoformat()
    return [
        event(csid, at.isoformat(), "CREATED"),
        event(csid, at.isoformat(), "MESSAGE_ADDED", direction="inbound"),
        event(csid, at.isoformat(), "ENQUEUED", queue=queue),
        event(csid, then, "ASSIGNED", agent=agent),
        event(csid, then, "MESSAGE_ADDED", direction="outbound", author=agent),
        event(csid, then, "CLOSED"),
    ]


@pytest.fixture
def desk(place: Place) -> Place:
    place.receive(
        [
            *day_of("2026-03-02", 1, 10, IDA, SUPPORT),
            *day_of("2026-03-02", 2, 20, BO, SALES),
            *day_of("2026-03-03", 3, 40, IDA, SALES),
        ]
    )
    return place


def response(place: Place, **asked: Any) -> tuple[int, float | None]:
    measure = place.reader.ask(Stats(**asked)).measures["first_response"]
    return measure.count, measure.p50


def test_a_period_takes_in_what_has_its_cohort_date_in_it(desk: Place) -> None:
    assert response(desk, since="2026-03-03") == (1, 2400)
    assert response(desk, until="2026-03-03") == (2, 600)
    assert response(desk, since="2026-03-03", time_zone="Europe/Copenhagen") == (3, 1200)
    assert response(desk, since="2026-W11") == (0, None)


def test_filters_and_groups_are_those_of_the_sample(desk: Place) -> None:
    assert response(desk, agent=("ida",)) == (2, 600)
    assert response(desk, queue=("Sales",)) == (2, 1200)
    assert response(desk, queue=("Sales",), agent=("Ida",)) == (1, 2400)

    def groups(by: str, **asked: Any) -> dict[str | None, int]:
        found = desk.reader.ask(Stats(by=by, **asked)).groups
        counts = {group.value: group.measures["first_response"].count for group in found}
        return {value: count for value, count in counts.items() if count}

    assert groups("queue") == {"Sales": 2, "Support": 1}
    assert groups("agent") == {"Bo": 1, "Ida": 2}
    assert groups("day") == {"2026-03-02": 2, "2026-03-03": 1}
    assert groups("hour", time_zone="Europe/Copenhagen", agent=("Bo",)) == {"2026-03-03T00:00": 1}
    assert groups("tag") == {None: 3}


def test_two_periods_stand_side_by_side(desk: Place) -> None:
    stats = desk.reader.ask(Stats(since="2026-03-03", until="2026-03-04", compare="-1d"))
    assert stats.compared
    both = [one.measures["first_response"].average for one in (stats, stats.compared)]
    assert both == [2400, 900]
    with pytest.raises(InvalidInputError, match="compare: expected `since` with it"):
        desk.reader.ask(Stats(compare="-1d"))
    with pytest.raises(InvalidInputError, match="compare: expected a period after year 1"):
        desk.reader.ask(Stats(since="0001-01-01", until="0001-01-02", compare="-7d"))


def test_business_hours_are_subtracted_and_said(desk: Place) -> None:
    hours = 'monday = "00:00-24:00"\ntuesday = "23:45-24:00"'
    stats = desk.reader.ask(Stats(business_hours=hours))
    assert stats.business_hours == hours
    assert stats.measures["first_response"].p50 == 15 * 60
    assert stats.measures["csat"].count == 0


def evaluation(csid: int, at: str, status: str, agent: Body) -> Body:
    shown = {"csid": csid, "assignee": agent}
    sla = {"id": f"sla-{csid}", "metric": "FirstResponse"}
    made = event(csid, at, status, conversation=shown, sla_evaluation=sla)
    return made | {"event_fqn": f"SLA_EVALUATION_{status}"}


def test_attainment_over_a_period_is_of_the_outcomes_in_it(desk: Place) -> None:
    desk.receive(
        [
            evaluation(1, "2026-03-02T23:45:00", "ACHIEVED", IDA),
            evaluation(2, "2026-03-02T23:50:00", "BREACHED", BO),
            evaluation(3, "2026-03-04T00:10:00", "ACHIEVED", IDA),
        ]
    )

    def shares(**asked: Any) -> dict[str | None, float | None]:
        return {one.value: one.attainment for one in desk.reader.ask(Attainment(**asked)).items}

    assert shares() == {None: 2 / 3}
    assert shares(since="2026-03-03") == {None: 1}
    assert shares(by="agent", until="2026-03-03") == {"Ida": 1, "Bo": 0}
    assert shares(by="day") == {"2026-03-02": 0.5, "2026-03-04": 1}
    assert shares(by="day", time_zone="Europe/Copenhagen") == {"2026-03-03": 0.5, "2026-03-04": 1}
    assert shares(as_of="2026-03-02T23:46:00Z") == {None: 1}
    [both] = desk.reader.ask(
        Attainment(since="2026-03-04", until="2026-03-05", compare="-2d")
    ).items
    assert (both.attainment, both.attainment_before) == (1, 0.5)
    listed = desk.whole(SlaEvaluations(since="2026-W10", until="2026-03-03"))
    assert [one.status for one in listed] == ["achieved", "breached"]


def test_numbers_as_of_a_moment_are_those_of_the_events_until_then(desk: Place) -> None:
    then = Stats(as_of="2026-03-03T23:35:00Z")
    stats = desk.reader.ask(then)
    assert (stats.conversations, stats.by_status) == (3, {"closed": 2, "open": 1})
    assert stats.measures["first_response"].count == 2
    assert stats.measures["open"].p90 == 20 * 60
    assert desk.reader.ask(Stats(known_at="2026-03-02T12:00:00Z")).conversations == 0
