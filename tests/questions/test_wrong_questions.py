"""Wrong questions: each is refused with what was expected and what came."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from places import Place, whole

from dixa_state import InvalidInputError
from dixa_state.questions import Filters, Page, Queries, Search, SlaFilters, TransitionFilters

Ask = Callable[[Queries], object]
EARLY = datetime.fromisoformat("2026-03-02T08:00:00Z")
LATE = EARLY + timedelta(days=1)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda q: q.conversations(Filters(status=("asleep",))),
            "status: expected one of open, pending, closed, abandoned, got 'asleep'",
        ),
        (
            lambda q: q.conversations(Filters(sla=("late",))),
            "sla: expected one of pending, breached, achieved, voided, none, got 'late'",
        ),
        (
            lambda q: q.transitions(TransitionFilters(before="asleep")),
            "from: expected one of open, pending, closed, abandoned, got 'asleep'",
        ),
        (
            lambda q: q.transitions(TransitionFilters(after="asleep")),
            "to: expected one of open, pending, closed, abandoned, got 'asleep'",
        ),
        (
            lambda q: q.sla(SlaFilters(status=("none",))),
            "status: expected one of pending, breached, achieved, voided, got 'none'",
        ),
        (
            lambda q: q.attainment("queue", SlaFilters(status=("late",))),
            "status: expected one of pending, breached, achieved, voided, got 'late'",
        ),
        (
            lambda q: q.conversations(Filters(created_since=LATE, created_until=EARLY)),
            (
                "created_since: expected a time before 2026-03-02T08:00:00.000Z, "
                "got 2026-03-03T08:00:00.000Z"
            ),
        ),
        (
            lambda q: q.conversations(Filters(updated_since=LATE, updated_until=EARLY)),
            (
                "updated_since: expected a time before 2026-03-02T08:00:00.000Z, "
                "got 2026-03-03T08:00:00.000Z"
            ),
        ),
        (
            lambda q: q.transitions(TransitionFilters(since=LATE, until=EARLY)),
            "since: expected a time before 2026-03-02T08:00:00.000Z, got 2026-03-03T08:00:00.000Z",
        ),
        (
            lambda q: q.conversations(sort="subject"),
            (
                "sort: expected one of -last_event_at, last_event_at, -created_at, created_at, "
                "-csid, csid, got 'subject'"
            ),
        ),
        (
            lambda q: q.conversations(sort="last_event_at", as_of=EARLY),
            "sort: expected created_at or csid for a list as of a moment, got 'last_event_at'",
        ),
        (
            lambda q: q.conversations(Filters(text=" ".join(map(str, range(51))))),
            "text: expected at most 50 words, got 51",
        ),
        (
            lambda q: q.search(Search(), sort="subject"),
            (
                "sort: expected one of -last_event_at, last_event_at, -created_at, created_at, "
                "-csid, csid, got 'subject'"
            ),
        ),
        (lambda q: q.search(Search(), limit=0), "pageLimit: expected 1 to 200, got 0"),
        (lambda q: q.conversations(limit=0), "pageLimit: expected 1 to 200, got 0"),
        (lambda q: q.transitions(limit=201), "pageLimit: expected 1 to 200, got 201"),
        (lambda q: q.sla(limit=-1), "pageLimit: expected 1 to 200, got -1"),
        (
            lambda q: q.conversations(Filters(csid=2**63)),
            f"csid: expected a whole number from 1 to {2**63 - 1}, got {2**63}",
        ),
    ],
)
def test_a_value_that_cannot_be(shared_place: Place, ask: Ask, message: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        ask(shared_place.queries)
    assert str(raised.value) == message


def test_a_list_of_the_future(shared_place: Place) -> None:
    with pytest.raises(InvalidInputError, match=r"as_of: expected a time up to now, .*, got 2.*Z"):
        shared_place.queries.conversations(as_of=shared_place.tracker.now() + timedelta(minutes=1))


def first_key(shared_place: Place, day_lines: list[bytes], ask: Callable[..., Page[Any]]) -> str:
    shared_place.receive(day_lines)
    key = ask(limit=1).next_key
    assert key is not None
    return key


@pytest.mark.parametrize(
    "other",
    [
        lambda q: partial(q.conversations, sort="csid"),
        lambda q: partial(q.conversations, Filters(status=("closed",))),
        lambda q: partial(q.conversations, Filters(csid=70431)),
        lambda q: partial(q.conversations, as_of=LATE),
        lambda q: q.transitions,
        lambda q: q.sla,
    ],
)
def test_the_page_key_of_another_query(
    shared_place: Place,
    day_lines: list[bytes],
    other: Callable[[Queries], Callable[..., Page[Any]]],
) -> None:
    key = first_key(shared_place, day_lines, shared_place.queries.conversations)
    with pytest.raises(InvalidInputError, match="pageKey: expected one that this very query gave"):
        other(shared_place.queries)(page_key=key)


def test_the_page_key_of_a_query_that_differs_in_its_last_filter_only(
    shared_place: Place, day_lines: list[bytes]
) -> None:
    ask = shared_place.queries.transitions
    key = first_key(shared_place, day_lines, partial(ask, TransitionFilters(csid=70431)))
    with pytest.raises(InvalidInputError, match="pageKey"):
        ask(TransitionFilters(csid=70432), page_key=key)


def altered(key: str, place: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
    raw[place] ^= 1
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_a_page_key_that_was_tampered_with(shared_place: Place, day_lines: list[bytes]) -> None:
    key = first_key(shared_place, day_lines, shared_place.queries.conversations)
    wrong = [altered(key, n) for n in (0, 9, 12, -1)]
    garbage = [
        "",
        "x",
        "x" * 1_000,
        "AAAA",
        "é",
        "\0",
        "\udcff",
        "null",
        "=",
        key[:-5],
        key + "AAAA",
    ]
    for given in wrong + garbage:
        with pytest.raises(InvalidInputError, match="pageKey: expected one that"):
            shared_place.queries.conversations(page_key=given)


def test_a_page_key_may_go_with_another_page_size(
    shared_place: Place, day_lines: list[bytes]
) -> None:
    key = first_key(shared_place, day_lines, shared_place.queries.transitions)
    rest = shared_place.queries.transitions(limit=200, page_key=key).items
    assert rest == whole(shared_place.queries.transitions)[1:]
