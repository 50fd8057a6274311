"""What is simulated and how it is delivered, with the time and the chance of a simulation."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import log
from random import Random
from typing import TypeVar

from dixa_state.errors import InvalidInputError

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
"""Times within a simulation are whole milliseconds since 1970 in UTC: exact and ordered."""

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

STORIES = {
    "second_rating": 0.8,
    "late_achievement": 0.5,
    "paired_ending": 0.5,
    "sla_without_id": 0.3,
    "terse_transfer": 0.3,
}
"""What is simulated only where a plan asks for it, and how often it happens where it can.

A new rating after a reopening; an SLA evaluation achieved after its breach; ABANDONED and CLOSED
for one ending, milliseconds apart in either order; a conversation whose SLA evaluations have no
ids; a transfer that names agent or queue in its snapshot only.
"""
USUAL_STORIES = tuple(STORIES)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FROM_MONDAY = 72  # 1970 began on a Thursday
_FRACTIONS = ("duplicates", "late", "drop")
_BOUNDS = {"days": (0.01, 3_660), "shuffle": (0, 2_592_000), **dict.fromkeys(_FRACTIONS, (0, 1))}
_YEARS = range(1970, 9_900)
_SIGMA = 0.85
T = TypeVar("T")


def moment(at: int) -> datetime:
    """Return milliseconds since 1970 as a datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=at)


@lru_cache(maxsize=1_024)  # most of an action happens at one moment
def timestamp(at: int) -> str:
    """Return a time as Dixa writes it: RFC 3339, milliseconds, `Z`."""
    return f"{moment(at).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def hour_of_week(at: int) -> int:
    """Return the hour of the week; 0 begins on Monday at midnight UTC."""
    return (at // HOUR + _FROM_MONDAY) % 168


class Chance(Random):
    """A random generator with the distributions of a support desk."""

    def happens(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.random() < probability

    def around(self, median: int) -> int:
        """Return a log-normal number, as waiting times and text lengths are."""
        return int(self.lognormvariate(log(median), _SIGMA)) if median else 0

    def weighted(self, weights: Mapping[T, float]) -> T:
        """Return one of the keys, in proportion to its weight."""
        return self.choices(list(weights), list(weights.values()))[0]

    def uuid(self) -> str:
        """Return a UUID of version 4."""
        digits = f"{self.getrandbits(128):032x}"  # twice as fast as the class UUID
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The options of a simulation; an impossible value raises `InvalidInputError`.

    `conversations` begin within `days` from `start` on, and nothing happens later; `stories` adds
    some of `STORIES` to what happens. The fraction `duplicates` of all bodies is delivered again,
    the fraction `drop` never; where `only` names events, as `event_fqn` does, no others are
    delivered; the fraction `late` of the deliveries takes up to `shuffle` seconds. Plans that
    differ in these five only have the same conversations.
    """

    conversations: int
    seed: int = 0
    days: float = 7.0
    start: datetime = MONDAY
    duplicates: float = 0.0
    shuffle: float = 0.0
    late: float = 1.0
    drop: float = 0.0
    only: Collection[str] = ()
    stories: Collection[str] = USUAL_STORIES

    def __post_init__(self) -> None:
        """Check every option."""
        if self.conversations < 1:
            raise _wrong("conversations", "a whole number from 1", self.conversations)
        for name, (low, high) in _BOUNDS.items():
            if not low <= getattr(self, name) <= high:
                expected = f"a number from {low:,g} to {high:,.0f}"
                raise _wrong(name, expected, getattr(self, name))
        for story in self.stories:
            if story not in STORIES:
                raise _wrong("stories", f"some of {', '.join(STORIES)}", story)
        if self.start.tzinfo is None or self.start.year not in _YEARS:
            expected = f"a time with a zone from {_YEARS[0]} to {_YEARS[-1]}"
            raise _wrong("start", expected, self.start.isoformat())

    @property
    def first(self) -> int:
        """The start, in milliseconds since 1970."""
        return (self.start - _EPOCH) // timedelta(milliseconds=1)

    @property
    def last(self) -> int:
        """The end, in milliseconds since 1970; the truth is as of this moment."""
        return self.first + int(self.days * DAY)

    @property
    def end(self) -> datetime:
        """The end; only deliveries that are late arrive after it."""
        return moment(self.last)


def _wrong(name: str, expected: str, came: object) -> InvalidInputError:
    return InvalidInputError(f"{name}: expected {expected}, got {came}")
