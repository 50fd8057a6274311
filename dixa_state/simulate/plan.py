"""What is to be simulated: how much, from when to when, and how badly it is delivered."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from dixa_state.errors import InvalidInputError
from dixa_state.simulate.times import DAY, millis, moment

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""When a simulation begins unless told otherwise: at midnight, on a Monday."""

SHORTEST, LONGEST = 0.01, 3_660.0
LONGEST_DELAY = 30 * 86_400.0

_YEARS = range(1970, 9_900)


class Plan(Struct, frozen=True, kw_only=True):
    """The options of a simulation; one that makes no sense raises `InvalidInputError`.

    `conversations` begin within `days` from `start` on, and nothing happens after `end`. Of all
    bodies the fraction `duplicates` is delivered again, of those that tell a change of status (but
    the creation) the fraction `drop` never; every delivery takes up to `shuffle` seconds. Plans
    that differ in these three only have the same conversations.
    """

    conversations: int
    seed: int = 0
    days: float = 7.0
    start: datetime = MONDAY
    duplicates: float = 0.0
    shuffle: float = 0.0
    drop: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.conversations < 1:
            raise _wrong("conversations", "a whole number from 1", self.conversations)
        _require("days", self.days, SHORTEST, LONGEST)
        _require("duplicates", self.duplicates, 0, 1)
        _require("drop", self.drop, 0, 1)
        _require("shuffle", self.shuffle, 0, LONGEST_DELAY)
        if self.start.tzinfo is None or self.start.year not in _YEARS:
            expected = f"a time with a zone from {_YEARS[0]} to {_YEARS[-1]}"
            raise _wrong("start", expected, self.start.isoformat())

    @property
    def first(self) -> int:
        """The beginning, in milliseconds since 1970."""
        return millis(self.start)

    @property
    def last(self) -> int:
        """The end, in milliseconds since 1970."""
        return self.first + int(self.days * DAY)

    @property
    def end(self) -> datetime:
        """The moment of which the truth is told; the delays of deliveries may go on after it."""
        return moment(self.last)

    @classmethod
    def until(cls, end: datetime, *, conversations: int, days: float, seed: int = 0) -> "Plan":
        """Plan a simulation that ends at a moment, such as now."""
        start = end - timedelta(days=days)
        return cls(conversations=conversations, seed=seed, days=days, start=start)


def _require(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise _wrong(name, f"a number from {low:,g} to {high:,.0f}", value)


def _wrong(name: str, expected: str, came: object) -> InvalidInputError:
    return InvalidInputError(f"{name}: expected {expected}, got {came}")
