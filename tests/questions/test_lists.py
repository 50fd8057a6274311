"""Lists: what fits by the interface's words, in order, page by page, now and as of a moment."""

import json
from datetime import datetime
from itertools import cycle
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import (
    AGENTS,
    CUSTOMERS,
    QUEUES,
    TAGS,
    Place,
    draw_few,
    histories,
    in_batches,
    moments,
    new_organization,
)

from dixa_state import Webhook
from dixa_state.dixa.catalog import TYPES
from dixa_state.domain.conversation import Conversation
from dixa_state.errors import UnfoldableEventError
from dixa_state.questions import (
    Conversations,
    ConversationTransitions,
    SlaEvaluations,
    StoredEvents,
    Timeline,
    Transitions,
)
from dixa_state.questions.conversations import Sort

SORTS = get_args(Sort)
NOON = datetime.fromisoformat("2026-03-02T12:00:00Z")


def some(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


def names(of: list[dict[str, str]], *keys: str) -> list[str]:
    return sorted({item[key] for item in of for key in keys if key in item})


CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "status": some(["open", "pending", "closed", "abandoned"]),
    "channel": some(["EMAIL", "email", "WIDGET_CHAT", "PSTN_PHONE", "none"]),
    "direction": some(["INBOUND", "OUTBOUND"]),
    "queue": some([*names(QUEUES, "id", "name"), "none"]),
    "assignee": some([*names(AGENTS, "id", "name", "email"), "none"]),
    "tag": some([*TAGS, "none"]),
    "sla": some(["pending", "breached", "achieved", "voided", "none"]),
    "requester": some(names(CUSTOMERS, "id", "email")),
    "text": st.sampled_from([None, "tent", "LEAK", "boat oa", "sand", "example.com", "3", "zebra"]),
    "irregular": st.booleans(),
}
TIMES = ("created_since", "created_until", "updated_since", "updated_until")


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    """One or two filters; many at once would leave nothing to be found."""
    names = draw(st.lists(st.sampled_from([*CHOICES, *TIMES]), max_size=2, unique=True))
    chosen = {name: draw(CHOICES.get(name, moments)) for name in names}
    for what in ("created", "updated"):
        since, until = chosen.get(f"{what}_since"), chosen.get(f"{what}_until")
        if since and until:
            chosen |= {f"{what}_since": min(since, until), f"{what}_until": max(since, until)}
    return chosen


def created(state: Conversation) -> datetime | None:
    return state.created_at or state.first_event_at


def fits(  # noqa: C901, PLR0911 — one arm per filter
    state: Conversation, name: str, value: Any
) -> bool:
    """Judge one filter by the words of the interface."""
    if not value:
        return True
    queue, agent, customer = state.queue, state.assignee, state.requester
    match name:
        case "status":
            return state.status in value
        case "channel" | "direction":
            return (getattr(state, name) or "NONE") in [given.upper() for given in value]
        case "queue":
            known = {queue.id, queue.name} if queue else {"none"}
            return bool(known & set(value) - ({"none"} if queue else set()))
        case "assignee":
            known = {agent.id, agent.name, agent.email} if agent else {"none"}
            return bool(known & set(value))
        case "tag":
            return bool((state.tags or {"none"}) & set(value))
        case "sla":
            of = [evaluation.status for evaluation in state.sla]
            worst = next(
                (s for s in ("breached", "pending", "achieved", "voided") if s in of), None
            )
            return (worst or "none") in value
        case "requester":
            return customer is not None and bool({customer.id, customer.email} & set(value))
        case "text":
            texts = [str(state.csid), state.subject]
            texts += [customer.name, customer.email, customer.phone] if customer else []
            said = " ".join(text or "" for text in texts).casefold()
            for mark in ",@.":
                said = said.replace(mark, " ")
            wanted = value.casefold().replace(".", " ").split()
            return all(any(word.startswith(w) for word in said.split()) for w in wanted)
        case "irregular":
            moves = state.life.transitions
            return any(move.irregular not in (None, "history_starts_midlife") for move in moves)
        case _:
            at = created(state) if name.startswith("created") else state.last_event_at
            assert at is not None
            return bool(at >= value if name.endswith("since") else at < value)


def waiting(state: Conversation) -> datetime | None:
    queued = [visit.enqueued_at for visit in state.visits if visit.left_at is None]
    return min(queued, default=None)


def deadline(state: Conversation) -> datetime | None:
    due = [item.deadline for item in state.sla if item.status == "pending" and item.deadline]
    return None if state.status in ("closed", "abandoned") else min(due, default=None)


SORT_BY = {
    "created_at": created,
    "last_event_at": lambda state: state.last_event_at,
    "csid": lambda state: state.csid,
    "waiting": waiting,
    "open_since": lambda state: state.life.since if state.status == "open" else None,
    "deadline": deadline,
}


@given(data=st.data())
@settings(max_examples=settings().max_examples // 3)
def test_a_list_is_the_conversations_that_fit_in_order_and_its_pages_are_the_list(
    place: Place, data: st.DataObject
) -> None:
    draw_few(data)
    organization = new_organization()
    place.receive(data.draw(histories(organization)))
    chosen, sort = data.draw(filters()), data.draw(st.sampled_from(SORTS))
    question = Conversations(organization=organization, sort=sort, **chosen)

    by = SORT_BY[sort.removeprefix("-")]
    listed = place.whole(question)
    expected = {
        state.csid: state
        for state, _ in place.conversations(organization)
        if by(state) is not None and all(fits(state, name, value) for name, value in chosen.items())
    }
    assert {state.csid: state for state in listed} == expected
    order = sorted(map(by, listed), reverse=sort.startswith("-"))
    assert list(map(by, listed)) == order
    assert place.in_pages(question, cycle(data.draw(sizes))) == listed
    assert [one.csid for one in question.every(place.reader)] == [one.csid for one in listed]


@pytest.mark.parametrize(
    "twice", [{"queue": ("Support", "Support")}, {"channel": ("widget_chat", "WIDGET_CHAT")}]
)
def test_a_value_that_is_given_twice_finds_each_row_once(
    day: Place, twice: dict[str, tuple[str, ...]]
) -> None:
    question = Conversations(**twice)
    listed = day.whole(question)
    assert len(listed) == len({state.csid for state in listed}) > 0
    assert day.in_pages(question, cycle([1])) == listed


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@given(data=st.data())
@settings(max_examples=settings().max_examples // 3)
def test_a_list_as_of_a_moment_is_what_fitted_then_sorted_by_creation(
    place: Place, data: st.DataObject
) -> None:
    draw_few(data)
    organization = new_organization()
    place.receive(data.draw(histories(organization)))
    chosen, as_of = data.draw(filters()), data.draw(moments)
    sort = data.draw(st.sampled_from(["-last_event_at", "-created_at", "created_at", "-csid"]))
    question = Conversations(organization=organization, sort=sort, as_of=as_of, **chosen)

    listed = place.whole(question)
    folded = list(place.conversations(organization, as_of=as_of))
    expected = {
        then.csid: then
        for then, _ in folded
        if all(fits(then, name, value) for name, value in chosen.items())
    }
    assert {state.csid: state for state in listed} == expected
    today = {now.csid: created(now) for _, now in folded}
    order = [csid if sort == "-csid" else today[csid] for csid in (s.csid for s in listed)]
    assert order == sorted(order, reverse=sort.startswith("-"))
    assert place.in_pages(question, cycle(data.draw(sizes))) == listed


def test_a_list_as_known_at_a_moment_leaves_out_what_came_later(place: Place) -> None:
    came = {"created": "09:00", "closed": "10:00", "open": "11:00"}
    for number, (kind, at) in enumerate(came.items()):
        event = webhook(f"08:0{number}:00", f"CONVERSATION_{kind.upper()}")
        received = datetime.fromisoformat(f"2026-03-02T{at}Z")
        place.tracker.append_many([Webhook(json.dumps(event).encode(), received)])
    place.receive([])

    def statuses(known_at: str, **more: Any) -> list[str | None]:
        question = Conversations(known_at=f"2026-03-02T{known_at}Z", **more)
        return [state.status for state in place.whole(question)]

    assert statuses("08:59") == []
    assert statuses("09:00") == statuses("12:00", as_of="2026-03-02T08:00:30Z") == ["open"]
    assert statuses("10:30") == statuses("10:30", status=("closed",)) == ["closed"]
    assert statuses("10:30", status=("open",)) == []
    assert statuses("11:00") == ["open"]


@given(data=st.data())
@settings(max_examples=settings().max_examples // 3)
def test_pages_put_together_are_the_list_of_the_first_one_whatever_arrives_meanwhile(
    place: Place, data: st.DataObject
) -> None:
    draw_few(data)
    organization = new_organization()
    arriving = data.draw(histories(organization, least=6))
    early = data.draw(st.integers(1, len(arriving) - 1))
    place.receive(arriving[:early])
    chosen = {"organization": organization} | data.draw(filters())
    one = {"organization": organization, "csid": arriving[0]["data"]["conversation"]["csid"]}
    question = data.draw(
        st.sampled_from(
            [
                Conversations(**chosen, sort=data.draw(st.sampled_from(SORTS))),
                Conversations(**chosen, as_of=data.draw(moments)),
                Transitions(organization=organization, irregular=data.draw(st.booleans())),
                SlaEvaluations(organization=organization, tag=data.draw(some(TAGS))),
                Timeline(**one),
                StoredEvents(**one),
                ConversationTransitions(**one),
            ]
        )
    )
    expected = place.whole(question)

    batches = in_batches(arriving[early:], data.draw(st.integers(1, 5)))
    receive_more = lambda: place.receive(next(batches, []))  # noqa: E731
    assert place.in_pages(question, cycle(data.draw(sizes)), receive_more) == expected


@pytest.mark.parametrize(
    ("as_of", "csids", "statuses"),
    [
        ("2026-03-02T12:00:00Z", [70432, 70431], ["abandoned", "closed"]),
        ("2026-03-02T08:30:30Z", [70432, 70431], ["open", "pending"]),
        ("2026-03-02T09:10:00Z", [70432, 70431], ["abandoned", "open"]),
        ("2026-03-02T08:29:59Z", [70431], ["pending"]),
        ("2026-03-02T07:59:59Z", [], []),
    ],
)
def test_the_example_day_as_of_a_moment(
    day: Place, as_of: str, csids: list[int], statuses: list[str]
) -> None:
    listed = day.whole(Conversations(as_of=as_of))
    assert [state.csid for state in listed] == csids
    assert [state.status for state in listed] == statuses


def test_the_example_day_as_it_ended(day: Place, day_expected: dict[str, Any]) -> None:
    listed = day.whole(Conversations())
    assert [state.csid for state in listed] == [70431, 70432]
    for state in listed:
        expected = day_expected["conversations"][str(state.csid)]
        assert state.status == expected["status"]
        assert sorted(state.tags) == expected["tags"]
        assert state.queue.name == expected["queue"]


def test_the_example_day_has_its_transitions_and_evaluations(
    day: Place, day_expected: dict[str, Any]
) -> None:
    moves = day.whole(Transitions())
    for csid, expected in day_expected["conversations"].items():
        reported = [
            [move.from_status, move.to_status, move.at.strftime("%H:%M:%S.000")]
            for move in moves
            if move.csid == int(csid)
        ]
        assert reported == expected["transitions"]
        rows = day.whole(SlaEvaluations(csid=csid))
        assert [row.status for row in rows] == list(
            expected.get("sla", {"FirstResponse": "voided"}).values()
        )
    assert [move.at for move in moves] == sorted(move.at for move in moves)


def test_an_agent_whose_name_came_later_is_found_as_of_a_moment(place: Place) -> None:
    place.receive(
        [
            webhook("08:00:00", "CONVERSATION_CREATED"),
            webhook("08:01:00", "CONVERSATION_ASSIGNED", agent={"id": "ida"}),
            webhook("08:02:00", "TYPING_STARTED", shown={"assignee": {"id": "ida", "name": "Ida"}}),
        ]
    )
    found = place.whole(Conversations(assignee=("Ida",), as_of=NOON))
    assert [state.csid for state in found] == [1]


def test_a_close_that_was_abandonment_after_all_is_found_as_of_the_moment_between(
    place: Place,
) -> None:
    place.receive(
        [
            webhook("08:00:00", "CONVERSATION_CREATED"),
            webhook("08:30:00", "TYPING_STARTED", shown={"status": "CLOSED"}),
            webhook("08:30:05", "CONVERSATION_ABANDONED"),
        ]
    )
    question = Conversations(status=("closed",), as_of="2026-03-02T08:30:02Z")
    assert [state.status for state in place.whole(question)] == ["closed"]


def test_an_event_that_cannot_be_read_is_skipped_in_lists_and_named_in_those_of_a_moment(
    place: Place, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> Any:
        raise ValueError("no reader for this")

    failing = TYPES["conversation.note_added"]._replace(fact=fail)

    monkeypatch.setitem(TYPES, "conversation.note_added", failing)
    place.receive(day_lines[:40])
    with pytest.raises(UnfoldableEventError, match="70431 cannot be folded: ValueError"):
        place.whole(Conversations(as_of=NOON))
    listed = place.whole(Conversations())
    batches = in_batches(day_lines[40:], 5)
    receive_more = lambda: place.receive(next(batches, []))  # noqa: E731
    assert place.in_pages(Conversations(), cycle([1]), receive_more) == listed


def test_conversations_of_one_number_are_told_apart_by_their_organization(place: Place) -> None:
    created = webhook("08:00:00", "CONVERSATION_CREATED")
    place.receive([created, created | {"organization": {"id": "two"}}])
    place.receive([{k: v for k, v in created.items() if k != "organization"}])

    def owners(organization: str | None) -> set[str | None]:
        question = Conversations(csid=1, organization=organization)
        return {state.organization_id for state in place.whole(question)}

    assert owners(None) == {"org", "two", None}
    assert owners("two") == {"two"}
    assert owners("") == {None}


@pytest.mark.parametrize("value", ["\0", "'; DROP TABLE x", "%", "é", "x" * 500])
def test_any_text_may_be_asked_for(shared_place: Place, value: str) -> None:
    shared_place.receive([webhook("08:00:00", "CONVERSATION_CREATED")])
    for name in ("channel", "direction", "queue", "assignee", "tag", "requester", "organization"):
        wanted = {name: value if name == "organization" else (value,)}
        assert shared_place.whole(Conversations(**wanted)) == []
        assert shared_place.whole(Conversations(**wanted, as_of=NOON)) == []
    shared_place.whole(Conversations(text=value))
    for name in ("queue", "agent", "channel", "tag"):
        assert shared_place.whole(SlaEvaluations(**{name: (value,)})) == []


def webhook(
    at: str, fqn: str, shown: dict[str, Any] | None = None, **data: object
) -> dict[str, Any]:
    return {
        "event_id": f"{fqn} {at}",
        "event_fqn": fqn,
        "event_timestamp": f"2026-03-02T{at}Z",
        "organization": {"id": "org"},
        "data": {"conversation": {"csid": 1} | (shown or {}), **data},
    }
