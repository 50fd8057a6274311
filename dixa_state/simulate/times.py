"""Moments as whole milliseconds since 1970 in UTC: exact, ordered, quick to write."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
HOURS_OF_WEEK = 168

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FROM_MONDAY = 72  # 1970 began on a Thursday


def millis(moment: datetime) -> int:
    """Give the milliseconds of an aware datetime."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment(at: int) -> datetime:
    """Give the aware UTC datetime of a number of milliseconds."""
    return _EPOCH + timedelta(milliseconds=at)


def written(at: int) -> str:
    """Write a moment as Dixa does: RFC 3339, milliseconds, `Z`."""
    minute, rest = divmod(at, MINUTE)
    second, milli = divmod(rest, SECOND)
    return f"{_minute(minute)}:{second:02}.{milli:03}Z"


def hour_of_week(at: int) -> int:
    """Give the hour of the week, from 0 for the one that begins on Monday at midnight UTC."""
    return (at // HOUR + _FROM_MONDAY) % HOURS_OF_WEEK


@lru_cache(maxsize=1_024)
def _minute(minute: int) -> str:
    return (_EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M")
