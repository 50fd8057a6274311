"""Periods as people write them: moments such as `yesterday` or `2026-W47`, in a time zone."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from dixa_state.domain.timestamps import format_time, parse_time, shorten
from dixa_state.errors import InvalidInputError

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_SPAN = re.compile(r"-([0-9]{1,4})([hdw])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_LOST_PLUS = re.compile(r"(?<=:\d\d) (?=\d\d:\d\d$)|(?<=\.\d{3}) (?=\d\d:\d\d$)")


def read_span(text: str) -> timedelta:
    """Return the time that a text such as `-7d` or `-12h` goes back."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise InvalidInputError(f"expected a span such as -7d, -12h or -4w, got {shorten(text)!r}")
    return int(match[1]) * _UNITS[match[2]]


def read_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment at which begins what a text names: a day, a week, a time, a span ago.

    Days and weeks are those of the zone. A space before the zone of a time is the `+` that a
    query's text loses where nobody escapes it.
    """
    text = _LOST_PLUS.sub("+", text)
    if _SPAN.fullmatch(text):
        return now - read_span(text)
    try:
        day = _day(text, now.astimezone(zone).date())
        return datetime.combine(day, time(), zone).astimezone(UTC) if day else parse_time(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(
            "expected a time such as 2026-03-02T08:00:00Z, 2026-03-02, 2026-W10, 2026-03, today, "
            f"yesterday or -7d, got {shorten(text)!r}"
        ) from error


def _day(text: str, today: date) -> date | None:
    if text in ("today", "yesterday"):
        return today - timedelta(days=text == "yesterday")
    if week := _WEEK.fullmatch(text):
        return date.fromisocalendar(int(week[1]), int(week[2]), 1)
    if month := _MONTH.fullmatch(text):
        return date(int(month[1]), int(month[2]), 1)
    return date.fromisoformat(text) if _DAY.fullmatch(text) else None


def read_zone(name: str) -> ZoneInfo:
    """Return a time zone by its name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError(
            f"expected a time zone such as Europe/Copenhagen, got {shorten(name)!r}"
        ) from error


def _as_text(value: object) -> object:
    return format_time(value) if isinstance(value, datetime) else value


def checked(read: Callable[[str], object]) -> AfterValidator:
    """Return a validator of texts that can be read; they stay texts."""

    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


When = Annotated[
    str,
    BeforeValidator(_as_text),
    checked(lambda text: read_moment(text, datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("UTC"))),
    Field(examples=["2026-03-02T08:30:00Z", "2026-03-02", "2026-W10", "yesterday", "-7d"]),
]
"""A moment: RFC 3339, or the beginning of a day, a week or a month, or so long ago."""

Span = Annotated[str, checked(read_span), Field(examples=["-7d"])]
Zone = Annotated[str, checked(read_zone), Field(examples=["Europe/Copenhagen"])]


class Period(NamedTuple):
    """The times from `since` to before `until`, either of which may be open."""

    since: datetime | None
    until: datetime | None

    def shifted(self, span: timedelta, now: datetime) -> "Period":
        """Return a period of the same length, so much earlier; an open end is now."""
        if self.since is None:
            raise InvalidInputError("compare: expected `since` with it, got none")
        try:
            return Period(self.since - span, (self.until or now) - span)
        except OverflowError as error:
            raise InvalidInputError("compare: expected a period after year 1, got none") from error


def read_period(since: str | None, until: str | None, now: datetime, zone: ZoneInfo) -> Period:
    """Return a period; raise `InvalidInputError` if it ends before it begins."""
    begin, end = (read_moment(text, now, zone) if text else None for text in (since, until))
    require_order("since", begin, end)
    return Period(begin, end)


def require_order(name: str, since: datetime | None, until: datetime | None) -> None:
    """Raise `InvalidInputError` if a period ends before it begins; `name` is the filter's."""
    if since is not None and until is not None and since > until:
        raise InvalidInputError(
            f"{name}: expected a time before {format_time(until)}, got {format_time(since)}"
        )
