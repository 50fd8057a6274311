"""Times: RFC 3339 in, aware UTC datetimes inside, RFC 3339 with `Z` out."""

import re
from datetime import UTC, datetime, tzinfo

import msgspec

from dixa_state.errors import InvalidInputError

_write = msgspec.json.Encoder().encode
_MILLISECONDS = len("2026-03-02T08:00:00.000Z")
_MICROSECONDS = len("2026-03-02T08:00:00.000000Z")
_ACCEPTED = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"  # date
    r"(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)"  # time
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?"  # zone
    r"(?:\[[^\]]*\])?)?"  # the zone's name, which Dixa's activity log appends: `Z[GMT]`
)


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time as an aware UTC datetime.

    Tolerates what has been seen or may be expected from Dixa and from people: no zone (taken as
    UTC, the only zone Dixa writes), digits beyond microseconds (cut), `Z[GMT]`, a date alone
    (its midnight). Raises `InvalidInputError` on anything else.
    """
    if _is_canonical(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    match = _ACCEPTED.fullmatch(text.strip())
    if match is None:
        raise _unusable(text)
    date, clock, zone = match.groups()
    try:
        time = datetime.fromisoformat(f"{date}T{clock or '00:00'}{(zone or 'Z').upper()}")
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _unusable(text) from error


def in_zone(time: datetime, zone: tzinfo) -> datetime:
    """Return a time in a zone; as it is, where that would be before year 1 or after 9999."""
    try:
        return time.astimezone(zone)
    except (OverflowError, ValueError):
        return time


def _is_canonical(text: str) -> bool:
    """Return whether a time has the spelling of Dixa and of this program, digits aside."""
    if len(text) not in (_MILLISECONDS, _MICROSECONDS):
        return False
    return text[7:20:3] == "-T::." and text[-1] == "Z"


def format_time(time: datetime) -> str:
    """Write an aware UTC time as RFC 3339 with `Z`: milliseconds, or microseconds if it has any."""
    # `isoformat` asks the zone, which takes five times as long as all of this
    text = _write(time if time.tzinfo is UTC else time.astimezone(UTC))[1:-2].decode()
    if not time.microsecond:
        return f"{text}.000Z"
    return f"{text if time.microsecond % 1000 else text[:-3]}Z"


def _unusable(text: str) -> InvalidInputError:
    return InvalidInputError(
        f"expected a time such as 2026-03-02T08:00:00.000Z, got {shorten(text)!r}"
    )


def shorten(text: str, length: int = 80) -> str:
    """Cut a text that came from outside so that it fits into a message."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
