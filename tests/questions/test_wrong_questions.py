"""Wrong questions: each is refused with what was expected and what came."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from places import EIGHT, Place
from pydantic import ValidationError

from dixa_state import InvalidInputError
from dixa_state.questions import (
    Attainment,
    Conversations,
    ConversationTransitions,
    Daily,
    PagedQuestion,
    Question,
    Search,
    SlaEvaluations,
    StoredEvents,
    Timeline,
    Transitions,
)
from dixa_state.questions.conversations import Sort
from dixa_state.questions.question import describe_errors

LATE = EIGHT + timedelta(days=1)
STATUSES = "'open', 'pending', 'closed' or 'abandoned'"
DERIVED = "'due_soon', 'overdue', 'breached_open' or 'breached_late'"
SLA = f"'pending', 'breached', 'achieved', 'voided', {DERIVED}"
SORTS = ", ".join(map(repr, get_args(Sort)[:-1])) + f" or {get_args(Sort)[-1]!r}"
TIME = "a time such as 2026-03-02T08:00:00Z, 2026-03-02"


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Conversations, {"status": ["asleep"]}, f"status.0: expected {STATUSES}, got 'asleep'"),
        (
            Conversations,
            {"sla": ["late"]},
            f"sla.0: expected 'pending', 'breached', 'achieved', 'voided', 'none', {DERIVED}, got",
        ),
        (Transitions, {"from": "asleep"}, f"from: expected {STATUSES}, got 'asleep'"),
        (Transitions, {"to": "asleep"}, f"to: expected {STATUSES}, got 'asleep'"),
        (SlaEvaluations, {"status": ["none"]}, f"status.0: expected {SLA}, got 'none'"),
        (Attainment, {"status": ["late"]}, f"status.0: expected {SLA}, got 'late'"),
        (
            Attainment,
            {"by": "week"},
            "by: expected 'queue', 'agent', 'channel', 'tag', 'day' or 'hour', got 'week'",
        ),
        (Conversations, {"sort": "subject"}, f"sort: expected {SORTS}, got 'subject'"),
        (Search, {"sort": "subject"}, f"sort: expected {SORTS}, got 'subject'"),
        (Search, {"pageLimit": 0}, "pageLimit: expected greater than or equal to 1, got '0'"),
        (Timeline, {"csid": 1, "pageLimit": -1}, "pageLimit: expected greater than or equal to 1,"),
        (Transitions, {"pageLimit": 201}, "pageLimit: expected less than or equal to 200, got '20"),
        (Conversations, {"pageKey": "x" * 4_001}, "pageKey: expected at most 4000 characters, got"),
        (Conversations, {"csid": 2**63}, f"csid: expected less than or equal to {2**63 - 1}, got"),
        (Conversations, {"csid": "9" * 5_000}, "csid: expected a whole number of fewer digits, go"),
        (Timeline, {}, "csid: expected a value, got '{}'"),
        (Conversations, {"as_of": "soon"}, f"as_of: expected {TIME}"),
        (Conversations, {"as_of": 5}, f"as_of: expected {TIME}"),
        (Conversations, {"irregular": "maybe"}, "irregular: expected true or false, got 'maybe'"),
        (Conversations, {"min_position": "soon"}, "min_position: expected a whole number, got 's"),
        (Conversations, {"colour": "red"}, "colour: expected no parameter of this name, got 'red'"),
        (Conversations, {"tag": ["x"] * 101}, "tag: expected at most 100 values, got"),
        (Conversations, {"tag": ["x" * 501]}, "tag.0: expected at most 500 characters, got 'xxx"),
        (Conversations, {"text": "\udcff"}, "text: expected a valid string"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be(
    kind: type[Question[Any]], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        kind.model_validate(values)
    said, [wrong] = describe_errors(raised.value.errors())
    assert said.startswith(message)
    assert wrong["parameter"] == message.partition(":")[0]
    assert len(said) < 500


def test_a_time_without_a_zone_is_in_utc() -> None:
    bare = EIGHT.replace(tzinfo=None)
    for given in (bare, EIGHT, EIGHT.isoformat(), bare.isoformat(), "2026-03-02T10:00:00+02:00"):
        assert Conversations(as_of=given).as_of == EIGHT


OUT_OF_ORDER = "expected a time before 2026-03-02T08:00:00.000Z, got 2026-03-03T08:00:00.000Z"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            Conversations(created_since=LATE, created_until=EIGHT),
            f"created_since: {OUT_OF_ORDER}",
        ),
        (
            Conversations(updated_since=LATE, updated_until=EIGHT),
            f"updated_since: {OUT_OF_ORDER}",
        ),
        (Transitions(since=LATE, until=EIGHT), f"since: {OUT_OF_ORDER}"),
        (Daily(since=LATE, until=EIGHT), f"since: {OUT_OF_ORDER}"),
        (
            Conversations(sort="last_event_at", as_of=EIGHT),
            "sort: expected created_at or csid for a list as of a moment, got 'last_event_at'",
        ),
        (
            Conversations(text=" ".join(map(str, range(51)))),
            "text: expected at most 50 words, got 51",
        ),
    ],
)
def test_what_no_answer_can_have(
    shared_place: Place, question: Question[Any], message: str
) -> None:
    with pytest.raises(InvalidInputError) as raised:
        shared_place.reader.ask(question)
    assert str(raised.value) == message


def test_an_answer_of_the_future(shared_place: Place) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    for question in (
        Conversations(as_of=soon),
        ConversationTransitions(csid=70431, as_of=soon),
        ConversationTransitions(csid=70431, known_at=soon),
    ):
        with pytest.raises(InvalidInputError, match=r"expected a time up to now, .*, got 2.*Z$"):
            shared_place.reader.ask(question)


def first_key(place: Place, day_lines: list[bytes], question: PagedQuestion[Any]) -> str:
    place.receive(day_lines)
    key = place.page(question, limit=1).next_key
    assert key is not None
    return key


@pytest.mark.parametrize(
    ("question", "others"),
    [
        (
            Conversations(),
            [
                Conversations(sort="csid"),
                Conversations(status=("closed",)),
                Conversations(csid=70431),
                Conversations(as_of=LATE),
                Transitions(),
                SlaEvaluations(),
                Search(),
                Timeline(csid=70431),
            ],
        ),
        (
            Search(),
            [
                Search(body={"query": {"value": "tent"}}),
                Search(body={"filters": {"strategy": "Any"}}),
                Search(sort="csid"),
                Search(organization="org"),
                Conversations(),
            ],
        ),
        (Transitions(csid=70431), [Transitions(csid=70432), ConversationTransitions(csid=70431)]),
        (Timeline(csid=70431), [Timeline(csid=70432), StoredEvents(csid=70431)]),
    ],
    ids=str,
)
def test_the_page_key_of_another_question(
    shared_place: Place,
    day_lines: list[bytes],
    question: PagedQuestion[Any],
    others: list[PagedQuestion[Any]],
) -> None:
    key = first_key(shared_place, day_lines, question)
    for other in others:
        with pytest.raises(InvalidInputError, match=r"^pageKey: expected one that this very query"):
            shared_place.page(other, key=key)


def altered(key: str, place: int) -> str:
    raw = bytearray(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
    raw[place] ^= 1
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize("question", [Conversations(), Timeline(csid=70431)], ids=str)
def test_a_page_key_that_was_tampered_with(
    shared_place: Place, day_lines: list[bytes], question: PagedQuestion[Any]
) -> None:
    key = first_key(shared_place, day_lines, question)
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
        f"{key}AAAA",
    ]
    for given in wrong + garbage:
        with pytest.raises(InvalidInputError, match="pageKey: expected one that"):
            shared_place.page(question, key=given)


@pytest.mark.parametrize("question", [Transitions(), Timeline(csid=70431)], ids=str)
def test_a_page_key_may_go_with_another_page_size(
    shared_place: Place, day_lines: list[bytes], question: PagedQuestion[Any]
) -> None:
    key = first_key(shared_place, day_lines, question)
    assert shared_place.page(question, key=key).items == shared_place.whole(question)[1:]
