"""What every backend answers from the same history: the state, at any moment, by any clock."""

import json
import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dixa_state import (
    AmbiguousError,
    ConversationTracker,
    InvalidInputError,
    NotFoundError,
    Webhook,
)
from dixa_state.questions import Answer, describe
from dixa_state.questions.bans import Ban as BanAnswer
from dixa_state.questions.timeline import describe_step
from dixa_state.questions.transitions import describe_transition

Document = dict[str, Any]


def document(answer: Answer) -> Document:
    return answer.model_dump(mode="json", by_alias=True)


ARRIVAL_FACTS = ("received_at", "late", "position")
DAY_END = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)


EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def everything(tracker: ConversationTracker, csid: int, organization: str | None = None) -> str:
    """All that can be told of a conversation, without how its webhooks came in."""
    state = tracker.conversation(csid, organization=organization)
    return json.dumps(
        without_arrival(
            [
                document(describe(state, now=DAY_END)),
                [
                    document(describe_transition(state.organization_id, state.csid, move))
                    for move in state.life.transitions
                ],
                [
                    document(describe_step(step))
                    for step in tracker.timeline(csid, organization=organization)
                ],
            ]
        )
    )


def without_arrival(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: without_arrival(item)
                for key, item in value.items()
                if key not in ARRIVAL_FACTS
            }
        case list():
            return [without_arrival(item) for item in value]
        case _:
            return value


def deliver(tracker: ConversationTracker, bodies: list[bytes], batch: int = 7) -> None:
    for start in range(0, len(bodies), batch):
        tracker.append_many([Webhook(raw, DAY_END) for raw in bodies[start : start + batch]])


def agrees(document: Document, expected: dict[str, Any]) -> None:
    """Compare with the outcome that was counted by hand."""
    person = {"requester", "assignee"}
    for name, value in expected.items():
        match name:
            case "transitions":
                continue
            case "counts" | "durations":
                assert {key: document[name][key] for key in value} == value
            case "queue":
                assert document["queue"]["name"] == value
            case "sla":
                assert {item["metric"]: item["status"] for item in document["sla"]} == value
            case "ratings":
                shown = [{key: item[key] for key in value[0]} for item in document["ratings"]]
                assert shown == value
            case _ if name in person:
                assert (document[name] and document[name]["email"]) == value
            case _:
                assert document[name] == value


def test_the_example_day_gives_the_outcome_counted_by_hand(
    store: SimpleNamespace, day_lines: list[bytes], day_expected: dict[str, Any]
) -> None:
    tracker = store.open()
    deliver(tracker, day_lines)
    for csid, expected in day_expected["conversations"].items():
        state = tracker.conversation(int(csid))
        agrees(document(describe(state, now=DAY_END)), expected)
        moves = [
            document(describe_transition(state.organization_id, state.csid, move))
            for move in state.life.transitions
        ]
        assert [[move["from"], move["to"], move["at"][11:-1]] for move in moves] == expected[
            "transitions"
        ]


def test_the_example_day_can_be_asked_for_as_of_any_moment(
    store: SimpleNamespace, day_lines: list[bytes], day_expected: dict[str, Any]
) -> None:
    tracker = store.open()
    deliver(tracker, day_lines)
    for moment, status in day_expected["as_of"]["70431"].items():
        as_of = datetime.fromisoformat(moment)
        assert tracker.conversation(70431, as_of=as_of).life.status == status


def test_the_example_day_tells_who_is_banned(
    store: SimpleNamespace, day_lines: list[bytes], day_expected: dict[str, Any]
) -> None:
    tracker = store.open()
    deliver(tracker, day_lines)
    bans = [document(BanAnswer.model_validate(ban)) for ban in tracker.bans()]
    endusers = {ban["user"]["email"]: ban["banned"] for ban in bans if ban["kind"] == "enduser"}
    ips = {ban["id"]: ban["banned"] for ban in bans if ban["kind"] == "ip"}
    assert {"endusers": endusers, "ips": ips} == day_expected["bans"]


@pytest.mark.parametrize("seed", range(5))
def test_the_day_shuffled_and_doubled_gives_exactly_the_same(
    store: SimpleNamespace, day_lines: list[bytes], seed: int
) -> None:
    tracker = store.open()
    deliver(tracker, day_lines)
    straight = [everything(tracker, csid) for csid in (70431, 70432)]
    shuffled = 2 * [
        line.replace(b"5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11", b"other") for line in day_lines
    ]
    random.Random(seed).shuffle(shuffled)
    deliver(tracker, shuffled, batch=seed + 1)
    again = [everything(tracker, csid, "other") for csid in (70431, 70432)]
    home = "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"
    assert [text.replace('"other"', f'"{home}"') for text in again] == [
        everything(tracker, csid, home) for csid in (70431, 70432)
    ]
    assert straight == [everything(tracker, csid, home) for csid in (70431, 70432)]


# Histories for the property: whatever Dixa may send of a conversation, in clustered times.

AGENTS = [{"id": f"agent-{n}", "name": f"Agent {n}", "user_type": "Member"} for n in range(3)]
CUSTOMERS = [
    {"id": f"user-{n}", "email": f"user{n}@example.com", "user_type": "Contact"} for n in range(2)
]
QUEUES = [{"id": f"queue-{n}", "name": f"Queue {n}"} for n in range(2)]
some_agent, some_queue = st.sampled_from(AGENTS), st.sampled_from(QUEUES)
some_user, some_tag = st.sampled_from(CUSTOMERS), st.sampled_from(["a", "b", "c"])
DATA = {
    "CONVERSATION_CREATED": st.just({}),
    "CONVERSATION_OPEN": st.just({}),
    "CONVERSATION_PENDING": st.just({}),
    "CONVERSATION_PENDING_EXPIRED": st.just({}),
    "CONVERSATION_CLOSED": st.just({}),
    "CONVERSATION_ABANDONED": st.fixed_dictionaries({}, optional={"queue": some_queue}),
    "CONVERSATION_ENQUEUED": st.fixed_dictionaries({"queue": some_queue}),
    "CONVERSATION_ASSIGNED": st.fixed_dictionaries({"agent": some_agent}),
    "CONVERSATION_UNASSIGNED": st.fixed_dictionaries({"agent": some_agent}),
    "CONVERSATION_TRANSFERRED": st.one_of(
        st.fixed_dictionaries({"agent": some_agent}), st.fixed_dictionaries({"queue": some_queue})
    ),
    "CONVERSATION_MESSAGE_ADDED": st.fixed_dictionaries(
        {
            "direction": st.sampled_from(["inbound", "outbound"]),
            "author": st.one_of(some_agent, some_user, st.none()),
        }
    ),
    "CONVERSATION_NOTE_ADDED": st.fixed_dictionaries({"author": some_agent}),
    "CONVERSATION_TAG_ADDED": st.fixed_dictionaries({"tag": some_tag}),
    "CONVERSATION_TAG_REMOVED": st.fixed_dictionaries({"tag": some_tag}),
    "CONVERSATION_END_USER_REPLACED": st.fixed_dictionaries({"new_user": some_user}),
    "CONVERSATION_CUSTOM_ATTRIBUTE_UPDATED": st.fixed_dictionaries(
        {"custom_attributes": st.dictionaries(some_tag, st.integers(0, 2) | st.none())}
    ),
    "CONVERSATION_RATED": st.fixed_dictionaries(
        {"score": st.integers(1, 5) | st.none(), "type": st.sampled_from(["Csat", "Nps"])}
    ),
    "SLA_EVALUATION_PENDING": st.fixed_dictionaries({"sla": st.just({"metric": "First"})}),
    "SLA_EVALUATION_ACHIEVED": st.fixed_dictionaries({"sla": st.just({"metric": "First"})}),
    "SLA_EVALUATION_BREACHED": st.fixed_dictionaries({"sla": st.just({"id": "sla-1"})}),
    "CONVERSATION_SOMETHING_NEW": st.just({"anything": [1]}),
}
snapshots = st.fixed_dictionaries(
    {"csid": st.just(7)},
    optional={
        "status": st.sampled_from(["OPEN", "PENDING", "AWAITING_PENDING", "CLOSED"]),
        "assignee": some_agent | st.none(),
        "queue": some_queue | st.none(),
        "requester": some_user,
        "subject": st.sampled_from(["Tent", "Boat"]),
        "tags": st.lists(st.fixed_dictionaries({"name": some_tag}), max_size=2),
    },
)


@st.composite
def webhooks(draw: st.DrawFn) -> dict[str, Any]:
    fqn = draw(st.sampled_from(sorted(DATA)))
    seconds = draw(st.integers(0, 40) | st.sampled_from([0.0, 0.001, 10.0, 10.001, 3600.0]))
    return {
        "event_id": str(UUID(int=draw(st.integers(0, 2**128 - 1)))),
        "event_fqn": fqn,
        "event_timestamp": (EIGHT + timedelta(seconds=seconds)).isoformat(),
        "data": {"conversation": draw(snapshots), **draw(DATA[fqn])},
    }


histories = st.lists(
    webhooks(), min_size=1, max_size=12, unique_by=lambda webhook: webhook["event_id"]
)


@given(history=histories, data=st.data())
def test_any_permutation_repetition_and_batching_of_a_history_gives_the_same_state(
    store: SimpleNamespace, history: list[dict[str, Any]], data: st.DataObject
) -> None:
    trackers = store.__dict__.setdefault("trackers", [])
    if not trackers:
        trackers.append(store.open())
    tracker = trackers[0]
    numbers = store.__dict__.setdefault("numbers", iter(range(10_000_000)))
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=6))
    orders = [history, data.draw(st.permutations(repeated))]
    told = []
    for order in orders:
        organization = f"org-{next(numbers)}"
        bodies = [
            json.dumps(webhook | {"organization": {"id": organization}}).encode()
            for webhook in order
        ]
        deliver(tracker, bodies, batch=data.draw(st.integers(1, len(bodies))))
        text = everything(tracker, 7, organization)
        told.append(text.replace(f'"{organization}"', '"org"'))
    assert told[0] == told[1]


# Two clocks, and evidence of what was missed.


def webhook(at: str, fqn: str, status: str = "OPEN", **data: object) -> bytes:
    return json.dumps(
        {
            "event_id": f"{fqn} {at}",
            "event_fqn": fqn,
            "event_timestamp": f"2026-03-02T{at}Z",
            "organization": {"id": "org"},
            "data": {"conversation": {"csid": 7, "status": status}, **data},
        }
    ).encode()


def moment(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-02T{clock}Z")


def test_as_of_and_known_at_together_give_four_different_right_answers(
    store: SimpleNamespace,
) -> None:
    tracker = store.open()
    tracker.append(webhook("08:00:00", "CONVERSATION_CREATED"), received_at=moment("08:00:01"))
    closed = webhook("10:00:00", "CONVERSATION_CLOSED", "CLOSED")
    tracker.append(closed, received_at=moment("10:00:01"))
    late = webhook("09:00:00", "CONVERSATION_PENDING", "PENDING")
    tracker.append(late, received_at=moment("11:00:00"))

    def told(as_of: str, known_at: str) -> tuple[str | None, int]:
        state = tracker.conversation(7, as_of=moment(as_of), known_at=moment(known_at))
        return state.status, len(state.life.transitions)

    assert told(as_of="09:30:00", known_at="12:00:00") == ("pending", 2)
    assert told(as_of="09:30:00", known_at="10:30:00") == ("open", 1)
    assert told(as_of="10:30:00", known_at="12:00:00") == ("closed", 3)
    assert told(as_of="10:30:00", known_at="10:30:00") == ("closed", 2)


def test_a_moment_before_the_conversation_existed_is_not_found_and_says_since_when(
    store: SimpleNamespace,
) -> None:
    tracker = store.open()
    tracker.append(webhook("08:00:00", "CONVERSATION_CREATED"), received_at=moment("08:00:01"))
    with pytest.raises(NotFoundError, match=r"first webhook is of 2026-03-02T08:00:00\.000Z"):
        tracker.conversation(7, as_of=moment("07:59:59"))
    with pytest.raises(NotFoundError, match=r"known since 2026-03-02T08:00:01\.000Z"):
        tracker.conversation(7, known_at=moment("08:00:00"))


def test_a_dropped_close_is_inferred_and_replaced_when_it_arrives_after_all(
    store: SimpleNamespace,
) -> None:
    tracker = store.open()
    tracker.append(webhook("08:00:00", "CONVERSATION_CREATED"))
    tracker.append(webhook("08:30:00", "CONVERSATION_TAG_ADDED", "CLOSED", tag="lost"))
    inferred = tracker.transitions(7)[-1]
    assert (inferred.after, inferred.inferred) == ("closed", True)
    assert inferred.event_id == "CONVERSATION_TAG_ADDED 08:30:00"

    tracker.append(webhook("08:20:00", "CONVERSATION_CLOSED", "CLOSED"))
    moves = tracker.transitions(7)
    assert [(move.after, move.inferred, move.late) for move in moves] == [
        ("open", False, False),
        ("closed", False, True),
    ]
    assert moves[-1].event_id == "CONVERSATION_CLOSED 08:20:00"


def reopen(tracker: ConversationTracker) -> None:
    """Append a close and the end of it, so that a snapshot may still show the one before."""
    tracker.append(webhook("07:00:00", "CONVERSATION_CREATED"))
    tracker.append(webhook("07:30:00", "CONVERSATION_CLOSED", "CLOSED"))
    tracker.append(webhook("08:00:00", "CONVERSATION_OPEN"))


def test_a_snapshot_of_an_earlier_status_within_the_grace_is_no_evidence(
    store: SimpleNamespace,
) -> None:
    tracker = store.open()
    reopen(tracker)
    tracker.append(webhook("08:00:10", "CONVERSATION_TAG_ADDED", "CLOSED", tag="stale"))
    assert [move.after for move in tracker.transitions(7)] == ["open", "closed", "open"]


def test_the_grace_can_be_set(store: SimpleNamespace) -> None:
    tracker = store.open(grace=timedelta(seconds=2))
    reopen(tracker)
    tracker.append(webhook("08:00:03", "CONVERSATION_TAG_ADDED", "CLOSED", tag="news"))
    assert [move.after for move in tracker.transitions(7)] == ["open", "closed", "open", "closed"]


def test_a_csid_in_two_organizations_must_be_asked_for_with_one(store: SimpleNamespace) -> None:
    tracker = store.open()
    raw = webhook("08:00:00", "CONVERSATION_CREATED")
    tracker.append(raw)
    tracker.append(raw.replace(b'"org"', b'"org-b"'))
    tracker.append(raw.replace(b'"org"', b'"a"').replace(b'"csid": 7', b'"csid": 8'))
    with pytest.raises(AmbiguousError, match="org, org-b"):
        tracker.conversation(7)
    assert tracker.conversation(7, organization="org-b").organization_id == "org-b"
    assert tracker.conversation(8).organization_id == "a"


def test_a_conversation_without_organization_can_be_asked_for(store: SimpleNamespace) -> None:
    tracker = store.open()
    tracker.append(webhook("08:00:00", "CONVERSATION_CREATED").replace(b'{"id": "org"}', b"null"))
    assert tracker.conversation(7).organization_id is None


def test_a_moment_without_a_zone_is_refused(store: SimpleNamespace) -> None:
    tracker = store.open()
    tracker.append(webhook("08:00:00", "CONVERSATION_CREATED"))
    with pytest.raises(InvalidInputError, match="as_of: expected a time with a zone"):
        tracker.conversation(7, as_of=datetime(2026, 3, 2))  # noqa: DTZ001 — the point
    with pytest.raises(InvalidInputError, match="as_of: expected a time with a zone, got 2026"):
        tracker.conversation(7, as_of="2026-03-02T08:00:00Z")  # type: ignore[arg-type]
