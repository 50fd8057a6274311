"""Times are written in one spelling, and read back as they were."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dixa_state.domain.timestamps import format_time, in_zone, parse_time

ZONES = st.sampled_from([UTC, ZoneInfo("UTC"), ZoneInfo("Europe/Copenhagen")])


@pytest.mark.parametrize(
    ("microseconds", "written"),
    [(0, ".000Z"), (120_000, ".120Z"), (123_000, ".123Z"), (1, ".000001Z"), (999_990, ".999990Z")],
)
def test_a_time_has_milliseconds_or_microseconds_where_it_needs_them(
    microseconds: int, written: str
) -> None:
    time = datetime(2026, 3, 2, 8, 30, 7, microseconds, tzinfo=UTC)
    assert format_time(time) == f"2026-03-02T08:30:07{written}"


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES))  # noqa: DTZ001
def test_what_is_written_is_read_back_as_the_same_moment(time: datetime) -> None:
    assert parse_time(format_time(time)) == time.astimezone(UTC)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York", "UTC"])
@pytest.mark.parametrize("year", [1, 9999])
def test_the_first_and_the_last_days_have_a_time_in_every_zone(year: int, zone: str) -> None:
    for moment in (datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, tzinfo=UTC)):
        assert in_zone(moment, ZoneInfo(zone)) == moment
