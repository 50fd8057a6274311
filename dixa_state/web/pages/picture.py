"""The picture of a conversation's life, and that of its two clocks: geometry, without markup."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from dixa_state.domain import sla
from dixa_state.questions import TimelineStep, Transition

WIDTH, LABELS = 1_000.0, 76.0
"""Of the whole picture, and of the names of its lanes."""

LANES = ("status", "queue", "assignee", "sla")
_TAIL = 44.0
_BREAK = 40.0
_ACTIVE = 420.0
_TICK_APART = 64.0
_MIN_IDLE, _MAX_IDLE = timedelta(minutes=3), timedelta(hours=12)
_TIMES_MEDIAN = 8
_MOST_BREAKS = 40
_EDGE = 8.0  # of the picture of both clocks


class Break(NamedTuple):
    """A time in which nothing happened, drawn as a narrow strip."""

    x: float
    width: float
    idle: timedelta


class Axis:
    """A scale of time between events on which idle times have one width, however long.

    Support conversations are mostly idle: on a plain scale all that happened would be a few dots.
    """

    def __init__(self, times: Iterable[datetime], left: float, right: float, strip: float) -> None:
        """Spread these times, each gap by its length or as a strip."""
        self.times = sorted(set(times))
        gaps = [later - earlier for earlier, later in pairwise(self.times)]
        longest = _longest_gap(gaps)
        idle = [gap > longest for gap in gaps]
        strip = min(strip, (right - left) / 2 / max(sum(idle), 1))
        busy = sum((g for g, one in zip(gaps, idle, strict=True) if not one), timedelta())
        scale = (right - left - strip * sum(idle)) / (busy.total_seconds() or 1)
        self.places, self.breaks = [left], list[Break]()
        for gap, is_idle in zip(gaps, idle, strict=True):
            x = self.places[-1]
            if is_idle:
                self.breaks.append(Break(x, strip, gap))
            self.places.append(x + (strip if is_idle else gap.total_seconds() * scale))

    def x(self, time: datetime) -> float:
        """Return the place of a time; before the first and after the last are at the ends."""
        after = bisect_right(self.times, time)
        if after in (0, len(self.times)):
            return round(self.places[max(after - 1, 0)], 1)
        low, high = self.times[after - 1], self.times[after]
        share = (time - low) / (high - low)
        return round(self.places[after - 1] * (1 - share) + self.places[after] * share, 1)

    def ticks(self) -> list[tuple[float, datetime]]:
        """Return the times to write below: the first, and those after a break, well apart."""
        shown: list[tuple[float, datetime]] = []
        after_break = {round(one.x + one.width, 1) for one in self.breaks}
        for x, time in zip(self.places, self.times, strict=True):
            if not shown or (round(x, 1) in after_break and x - shown[-1][0] > _TICK_APART):
                shown.append((round(x, 1), time))
        return shown


def _longest_gap(gaps: Sequence[timedelta]) -> timedelta:
    """Return how long nothing may happen before it counts as idle."""
    if not gaps:
        return _MIN_IDLE
    typical = timedelta(seconds=median(gap.total_seconds() for gap in gaps))
    return min(max(typical * _TIMES_MEDIAN, _MIN_IDLE), _MAX_IDLE)


class Span(NamedTuple):
    """A value that a lane had for a while; `kind` is what it is coloured by."""

    x: float
    width: float
    kind: str
    label: str
    since: datetime


class Marker(NamedTuple):
    """Something that happened at one moment."""

    x: float
    kind: str
    at: datetime
    label: str


class Life(NamedTuple):
    """What the template draws."""

    axis: Axis
    width: float
    lanes: dict[str, list[Span]]
    markers: list[Marker]
    cut: float | None

    @property
    def fits(self) -> bool:
        """Return whether it need not be wider than the page."""
        return self.width <= WIDTH


def draw_life(
    steps: Sequence[TimelineStep], transitions: Iterable[Transition], as_of: datetime | None
) -> Life:
    """Return the picture of a conversation's life; what comes after `as_of` lies behind the cut."""
    idle = sum(later.at - earlier.at > _MIN_IDLE for earlier, later in pairwise(steps))
    width = max(WIDTH, LABELS + _TAIL + _ACTIVE + _BREAK * min(idle, _MOST_BREAKS))
    axis = Axis((step.at for step in steps), LABELS, width - _TAIL, _BREAK)
    lanes = {name: _spans(name, steps, axis, width) for name in LANES}
    marks = [mark for step in steps if (mark := _mark(step, axis))]
    for found in transitions:
        for kind, says in (("irregular", found.irregular), ("inferred", found.inferred)):
            if says:
                label = f"{kind}: {found.from_status or 'nothing'} to {found.to_status}"
                marks.append(Marker(axis.x(found.at), kind, found.at, label))
    return Life(axis, width, lanes, marks, None if as_of is None else axis.x(as_of))


def _spans(name: str, steps: Sequence[TimelineStep], axis: Axis, width: float) -> list[Span]:
    """Return the values that a field had, each until the next; the last runs on."""
    changes = [(step.at, step.changes[name].after) for step in steps if name in step.changes]
    ends = [axis.x(at) for at, _ in changes[1:]] + [width]
    return [
        Span(axis.x(at), round(max(end - axis.x(at), 1), 1), *_kind_and_label(name, value), at)
        for (at, value), end in zip(changes, ends, strict=False)
        if value
    ]


def _kind_and_label(name: str, value: Any) -> tuple[str, str]:
    if name == "sla":
        worst = sla.summarise(value)
        return worst, worst
    if name == "status":
        return value, value
    return name, value.name or value.id or "unnamed"


_MARKS = {
    "conversation.note_added": ("note", "note"),
    "conversation.rated": ("rating", "rating"),
    "conversation.message_delivery_failed": ("failed", "delivery failed"),
}


def _mark(step: TimelineStep, axis: Axis) -> Marker | None:
    if step.event == "conversation.message_added":
        outbound = step.details.get("direction") == "outbound"
        kind, label = ("outbound", "message to") if outbound else ("inbound", "message from")
        label = f"{label} the customer"
    elif step.event in _MARKS:
        kind, label = _MARKS[step.event]
    else:
        return None
    return Marker(axis.x(step.at), kind, step.at, label)


class Clocks(NamedTuple):
    """The events by both times: across when they happened, upwards when they were received."""

    size: float
    points: list[tuple[float, float, bool]]
    across: float
    up: float


def draw_clocks(
    steps: Sequence[TimelineStep], as_of: datetime | None, known_at: datetime | None, size: float
) -> Clocks:
    """Return the picture of both clocks; both have one scale, so that punctual is diagonal."""
    times = [time for step in steps for time in (step.at, step.received_at)]
    axis = Axis(times, _EDGE, size - _EDGE, _EDGE)
    return Clocks(
        size,
        [(axis.x(step.at), size - axis.x(step.received_at), step.late) for step in steps],
        size if as_of is None else axis.x(as_of) + 1,
        0 if known_at is None else size - axis.x(known_at) - 1,
    )
