"""Business hours: when organizations are open, and how much of an interval that is."""

import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dixa_state.domain.timestamps import in_zone
from dixa_state.errors import InvalidInputError
from dixa_state.questions.periods import Zone, checked, read_zone
from dixa_state.questions.question import describe_errors
from dixa_state.views.tables import EPOCH, micros

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_MAX_TEXT = 20_000
_MARGIN = timedelta(days=370)
_EARLIEST, _LATEST = (micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (2000, 2200))
"""Whatever a hostile time is, no calendar is longer."""

_DAY = timedelta(days=1)
Spans = list[tuple[timedelta, timedelta]]


def _spans(text: str) -> Spans:
    """Read the hours of a day, such as `08:00-12:00, 13:00-17:00`; none at all is closed."""
    spans: Spans = []
    for part in filter(None, text.replace(" ", "").split(",")):
        try:
            begin, end = (_since_midnight(clock) for clock in part.split("-"))
        except ValueError:
            begin = end = timedelta()
        if not (spans[-1][1] if spans else timedelta()) <= begin < end:
            raise InvalidInputError(
                f"expected hours such as 08:00-12:00, 13:00-17:00, in order, got {text!r}"
            )
        spans.append((begin, end))
    return spans


def _since_midnight(clock: str) -> timedelta:
    if clock == "24:00":
        return _DAY
    read = time.fromisoformat(clock)
    return timedelta(hours=read.hour, minutes=read.minute)


Hours = Annotated[str, checked(_spans)]


class Week(BaseModel):
    """The hours of one organization, in its time zone; days that are not named are closed."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    time_zone: Zone = "UTC"
    monday: Hours = ""
    tuesday: Hours = ""
    wednesday: Hours = ""
    thursday: Hours = ""
    friday: Hours = ""
    saturday: Hours = ""
    sunday: Hours = ""
    holidays: tuple[date, ...] = ()


class BusinessHours(Week):
    """The hours of all organizations, and others for some of them, by id."""

    organizations: dict[str, Week] = Field({}, description="By the organization's id.")

    def of(self, organization_id: str | None) -> "Calendar":
        """Return the calendar of an organization."""
        return self._calendars.get(organization_id or "", self._calendars[None])

    @cached_property
    def _calendars(self) -> dict[str | None, "Calendar"]:
        """The calendars by organization, with that of all others."""
        weeks: list[tuple[str | None, Week]] = [(None, self), *self.organizations.items()]
        return {key: Calendar(week) for key, week in weeks}


@lru_cache(maxsize=16)
def read_business_hours(text: str) -> BusinessHours:
    """Read business hours from TOML; raise `InvalidInputError` for what they cannot be."""
    try:
        return BusinessHours.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"business_hours: expected TOML, got {error}") from error
    except ValidationError as error:
        message, _ = describe_errors(error.errors())
        raise InvalidInputError(f"business_hours: {message}") from error


BusinessHoursText = Annotated[str, checked(read_business_hours), Field(max_length=_MAX_TEXT)]
FORMAT = (
    "Business hours as TOML, outside of which no time is counted: `time_zone`, "
    '`monday = "08:00-16:00"` and so on, `holidays`, `[organizations."id"]` with others.'
)


class Calendar:
    """When one organization is open, as sorted intervals; made for the years that are asked for."""

    def __init__(self, week: Week) -> None:
        self._zone = read_zone(week.time_zone)
        self._spans = [_spans(getattr(week, day)) for day in DAYS]
        self._holidays = frozenset(week.holidays)
        self._first = self._last = 0
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = []

    def open_during(self, begin: int, end: int) -> int:
        """Return how much of an interval it was open, all in microseconds."""
        begin, end = max(begin, _EARLIEST), min(end, _LATEST)
        if not self._last or begin < self._first or end > self._last:
            self._cover(begin, end)
        return max(self._open_until(end) - self._open_until(begin), 0)

    def _open_until(self, at: int) -> int:
        place = bisect_right(self._begins, at) - 1
        if place < 0:
            return 0
        return self._before[place] + min(at, self._ends[place]) - self._begins[place]

    def _cover(self, begin: int, end: int) -> None:
        """Make the intervals of the days around; a moment's work for a year."""
        first, last = min(begin, self._first or begin), max(end, self._last)
        day, final = self._day(first) - _DAY, self._day(last) + _MARGIN
        days = (day + timedelta(days=n) for n in range((final - day).days + 1))
        spans = [span for day in days for span in self._of(day)]
        self._begins, self._ends = [one for one, _ in spans], [one for _, one in spans]
        self._before = [0, *accumulate(other - one for one, other in spans)]
        self._first, self._last = first, last + _MARGIN // timedelta(microseconds=1)

    def _of(self, day: date) -> Iterator[tuple[int, int]]:
        if day not in self._holidays:
            for begin, end in self._spans[day.weekday()]:
                yield self._moment(day, begin), self._moment(day, end)

    def _day(self, at: int) -> date:
        return in_zone(EPOCH + timedelta(microseconds=at), self._zone).date()

    def _moment(self, day: date, since_midnight: timedelta) -> int:
        """Return the moment that the clock shows this time, whatever happened to it at night."""
        local = datetime.combine(day, time()) + since_midnight
        return micros(local.replace(tzinfo=self._zone))
