"""`status`, `list`, and how both and the writing grow with the store."""

from collections.abc import Iterator

from growing import Mark, grown, grown_to_ten_million
from measuring import Beside, Result
from stores import MakeStore

_FLAT = 1.3
"""How much longer something may take in a larger store, to be called flat: as for `status`."""


def status(store: str, make: MakeStore) -> Iterator[Result]:
    """Tell the median milliseconds of one conversation, in a small store and in a large one."""
    marks = grown(store, make)
    for mark in (marks[0], marks[-1]):
        beside = Beside("SELECT of its row", mark.select, at_most=2.0)
        name = f"status, {mark.size:,} conversations"
        yield Result(name, store, "ms", mark.status, (beside,))
    growth = Beside(f"at {marks[0].size:,}", marks[0].status, at_most=1.3)
    yield Result("status, growth", store, "ms", marks[-1].status, (growth,))


def lists(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure a first page of 50, newest first: of a queue and a status, and by all other filters.

    The first, the commonest, stands beside a SELECT by hand and decoding the states it finds.
    """
    for mark in grown(store, make)[1:]:
        at = f"at {mark.size:,}"
        beside = Beside("SELECT and decoding by hand", mark.by_hand_p50, at_most=2)
        yield Result(f"list, p50 {at}", store, "ms", mark.list_p50, (beside,))
        name = f"list by other filters, p99 {at}"
        yield Result(name, store, "ms", mark.other_lists_p99, at_most=20)


def growth(store: str, make: MakeStore) -> Iterator[Result]:
    """Tell how an append of 100, a status and a late event until it shows go on as it grows."""
    return _growth(store, grown(store, make))


def ten_million(store: str, make: MakeStore) -> Iterator[Result]:
    """Tell the same of ten million events, in conversations as the simulator has them."""
    return _growth(store, grown_to_ten_million(make))


def _growth(store: str, marks: list[Mark]) -> Iterator[Result]:
    first, *more = marks
    at = f"at {first.size:,}"
    for mark in more:
        appended = Beside(at, first.append, at_least=round(1 / _FLAT, 2))
        name = f"growth, append of 100 at {mark.size:,}"
        yield Result(name, store, "events/s", mark.append, (appended,))
        at_hand = Beside(at, first.append_at_hand, at_least=round(1 / _FLAT, 2))
        name += ", known events at hand"
        yield Result(name, store, "events/s", mark.append_at_hand, (at_hand,))
    for mark in more:
        told = Beside(at, first.status, at_most=_FLAT)
        select = Beside("SELECT of its row", mark.select)
        yield Result(f"growth, status at {mark.size:,}", store, "ms", mark.status, (told, select))
    for mark in more:
        shown = Beside(at, first.late, at_most=_FLAT)
        yield Result(f"growth, late event at {mark.size:,}", store, "ms", mark.late, (shown,))
