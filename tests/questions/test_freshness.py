"""Freshness: who asks for a position waits for it, no longer than for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

import pytest
from places import Place

from dixa_state import StoreUnavailableError
from dixa_state.views.projector import Projector


@contextmanager
def projecting(place: Place) -> Iterator[None]:
    """Project in a thread of its own, as a server does, on the very views that are asked."""
    stop = Event()
    thread = Thread(target=Projector(place.tracker, place.views).run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_position_that_was_reached_is_not_waited_for(
    place: Place, day_lines: list[bytes]
) -> None:
    place.receive(day_lines)
    place.reader.wait_for(45, timeout=0)
    place.reader.wait_for(0, timeout=0)


def test_a_position_that_is_not_reached_in_time_is_named(
    place: Place, day_lines: list[bytes]
) -> None:
    place.receive(day_lines)
    began = monotonic()
    with pytest.raises(StoreUnavailableError) as raised:
        place.reader.wait_for(46, timeout=0.3)
    assert str(raised.value) == "views: expected position 46 within 0.3 s, got 45"
    assert 0.3 <= monotonic() - began < 5


def test_who_waits_is_woken_when_a_projector_gets_there(
    place: Place, day_lines: list[bytes]
) -> None:
    with projecting(place):
        longest = 0.0
        for position, line in enumerate(day_lines, start=1):
            place.tracker.append(line)
            began = monotonic()
            place.reader.wait_for(position, timeout=60)
            longest = max(longest, monotonic() - began)
    assert place.views.progress().position == 45
    assert longest < 5
