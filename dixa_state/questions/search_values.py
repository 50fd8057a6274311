"""The single values in a search body: each is read as what it must be, or refused in one line."""

import re
from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from typing import Any

from dixa_state.dixa.catalog import spelling
from dixa_state.dixa.streams import MAX_CSID, read_csid
from dixa_state.domain.lifecycle import STATUSES
from dixa_state.domain.timestamps import parse_time, shorten
from dixa_state.errors import InvalidInputError
from dixa_state.views.texts import attribute_text

Parts = dict[str, Any]

MAX_SECONDS = 10_000_000_000
"""More than three hundred years: far beyond any conversation, near enough to be reckoned with."""

_MAX_BITS = 64
_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=.)(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?"
    r"(?:(?P<seconds>[0-9]{1,11}(?:\.[0-9]{1,9})?)S)?)?"
)
_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def told(value: object) -> str:
    """Tell what came, in one line that any terminal and any encoding can take."""
    if isinstance(value, str):
        return shorten(repr(value[:100]))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number beyond all bounds" if _is_huge(value) else repr(value)
    return {type(None): "nothing", list: "a list", dict: "an object"}.get(
        type(value), "what is none"
    )


def _is_huge(value: float) -> bool:
    """Tell whether a number has so many digits that even writing them is refused."""
    return isinstance(value, int) and value.bit_length() > _MAX_BITS


def require_object(where: str, value: object, names: Sequence[str] = ()) -> Parts:
    """Take an object; if names are given, one that has no others."""
    if not isinstance(value, dict):
        raise InvalidInputError(f"{where}: expected an object, got {told(value)}")
    for name in value:
        if names and name not in names:
            raise InvalidInputError(
                f"{where}: expected nothing but {' and '.join(names)}, got {told(name)}"
            )
    return value


def read_text(where: str, value: object) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"{where}: expected a text that is not empty, got {told(value)}")
    return value


def read_status(where: str, value: object) -> str:
    """Read a status: one of ours in lower case, or else Dixa's, in its spelling for the REST API.

    Webhooks write `AWAITING_PENDING` for `AwaitingPending`.
    """
    if isinstance(value, str) and value in STATUSES:
        return value
    found = _STATUSES.get(spelling(value)) if isinstance(value, str) else None
    if found is None:
        raise InvalidInputError(
            f"{where}: expected one of {', '.join(DIXA_STATUSES)}, {', '.join(STATUSES)}, "
            f"got {told(value)}"
        )
    return found


DIXA_STATUSES = ("Open", "AwaitingPending", "Pending", "Closed")
_STATUSES = {spelling(status): status for status in (*DIXA_STATUSES, "abandoned")}


def read_number(where: str, value: object) -> int:
    """Read a conversation's number, also as a text of digits."""
    if not isinstance(value, int | float | str) or (not isinstance(value, str) and _is_huge(value)):
        raise InvalidInputError(
            f"{where}: expected a whole number from 1 to {MAX_CSID}, got {told(value)}"
        )
    try:
        return read_csid(value)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from error


def read_time(where: str, value: object) -> datetime:
    """Read a time as RFC 3339."""
    if not isinstance(value, str):
        raise InvalidInputError(
            f"{where}: expected a time such as 2026-03-02T08:00:00.000Z, got {told(value)}"
        )
    try:
        return parse_time(value)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from error


def read_seconds(where: str, value: object) -> float:
    """Read a duration: seconds, or ISO 8601 in weeks, days, hours, minutes and seconds.

    Months and years are not of one length, so they are refused.
    """
    seconds = _from_iso(value) if isinstance(value, str) else value
    if (
        not isinstance(seconds, int | float)
        or isinstance(seconds, bool)
        or not 0 <= seconds <= MAX_SECONDS
    ):
        raise InvalidInputError(
            f"{where}: expected seconds from 0 to {MAX_SECONDS}, or a duration such as PT1H30M, "
            f"got {told(value)}"
        )
    return float(seconds)


def _from_iso(text: str) -> float | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    given = {name: amount for name, amount in match.groupdict().items() if amount}
    return sum(float(amount) * _SECONDS[name] for name, amount in given.items())


def read_attribute_value(where: str, value: object) -> str:
    """Read the value of a custom attribute: a text, a number, true or false."""
    number = isinstance(value, int | float) and not _is_huge(value) and isfinite(value)
    fits = number or isinstance(value, str | bool)
    text = attribute_text(value) if fits else ""
    if not text:
        raise InvalidInputError(
            f"{where}: expected a text that is not empty, a number, true or false, "
            f"got {told(value)}"
        )
    return text
