"""Query plans at many conversations: no filter of a list reads a whole table."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from places import Place
from searches import Body, body, condition

from dixa_state.domain.conversation import initial
from dixa_state.domain.states import encode
from dixa_state.questions import (
    Conversations,
    Missed,
    SearchBody,
    SlaEvaluations,
    Transitions,
    names,
    planning,
)
from dixa_state.questions.bans import BANS, NEWEST, OF_REQUESTER
from dixa_state.questions.changes import CHANGED
from dixa_state.questions.conditions import OneOf, Parameters, where
from dixa_state.questions.conversations import Sort, by_sort, with_place
from dixa_state.questions.current import BY_STATUS
from dixa_state.questions.names import listing_statements
from dixa_state.questions.paging import Cursor, Listing
from dixa_state.views.tables import (
    AssignmentRow,
    AttributeRow,
    BanRow,
    ConversationRow,
    MissedRow,
    QueueIntervalRow,
    Row,
    SlaEvaluationRow,
    SlaTagRow,
    TagRow,
    TransitionRow,
    WordRow,
    group,
    micros,
)

MANY = 40_000
SCALE = MANY / 100_000
"""The bounds below are those of a store of 100,000 conversations."""
CURSORS = (Cursor(MANY, None), Cursor(MANY, (1_772_438_400_000_000, "conversation/org/5")))
THEN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NOW = micros(THEN + timedelta(days=30))
CONVERSATIONS = [
    Conversations(),
    Conversations(status=("pending",)),
    Conversations(channel=("EMAIL",)),
    Conversations(direction=("OUTBOUND",)),
    Conversations(queue=("queue-3",)),
    Conversations(queue=("none",)),
    Conversations(assignee=("Agent 7",)),
    Conversations(assignee=("none",)),
    Conversations(requester=("user-77",)),
    Conversations(tag=("rare",)),
    Conversations(tag=("none",)),
    Conversations(sla=("breached",)),
    Conversations(text="user77"),
    Conversations(created_since=THEN),
    Conversations(created_until=THEN),
    Conversations(updated_since=THEN),
    Conversations(updated_until=THEN),
    Conversations(irregular=True),
    Conversations(missed=True),
    Conversations(starts_midlife=True),
    Conversations(sla=("due_soon",)),
    Conversations(sla=("overdue", "breached")),
    Conversations(sla=("breached_open",)),
    Conversations(sla=("breached_late",)),
    Conversations(csid=77),
    Conversations(organization="org"),
]


STATE = encode(initial("org", 1))


def rows(n: int) -> Iterator[Row]:
    stream = f"conversation/org/{n}"
    at = 1_772_438_400_000_000 + (n * 7_919 % MANY) * 1_000_000
    agent, queue, person = n % 200, n % 20, n % 50_000
    held, queued = n % 10 != 0, n % 25 != 0
    yield ConversationRow(
        stream=stream,
        organization_id="org",
        csid=n,
        status=("closed", "closed", "closed", "open", "pending")[n % 5],
        dixa_status="awaitingpending" if n % 2_000 == 0 else None,
        status_since=at,
        channel=("EMAIL", "WIDGET_CHAT")[n % 2],
        direction="OUTBOUND" if n % 50 == 0 else "INBOUND",
        queue_id=f"queue-{queue}" if queued else None,
        queue_name=f"Queue {queue}" if queued else None,
        assignee_id=f"agent-{agent}" if held else None,
        assignee_name=f"Agent {agent}" if held else None,
        assignee_email=f"agent{agent}@example.com" if held else None,
        requester_id=f"user-{person}",
        requester_email=f"user{person}@example.com",
        sla_status="breached" if n % 40 == 0 else "none",
        created_at=at,
        last_event_at=at,
        last_message_at=at if n % 10 else None,
        assigned_at=at if held else None,
        waiting_since=at if n % 5 == 3 else None,
        reopened_at=None,
        open_since=at if n % 5 == 3 else None,
        deadline=at if n % 50 == 3 else None,
        asked_at=None,
        answered_at=None,
        closed_at=at if n % 5 < 3 else None,
        duration=float(n * 7_919 % MANY) if n % 5 < 3 else None,
        entered_queue=queued,
        irregular=n % 1_000 == 0,
        inferred=0,
        starts_midlife=False,
        missed=0,
        first_response=None,
        first_resolution=None,
        full_resolution=None,
        first_response_bound=False,
        first_resolution_bound=False,
        full_resolution_bound=False,
        inexact="",
        version=1,
        position=n,
        chunks=0,
        state=STATE,
    )
    yield TransitionRow(
        stream=stream,
        sequence=1,
        organization_id="org",
        csid=n,
        before=None,
        after="open",
        since=at,
        until=None,
        irregular=None,
        starts_midlife=False,
        inferred=False,
        late=False,
        move=b"{}",
    )
    yield WordRow(f"user{person}", stream)
    yield BanRow(f"enduser/org/{n}", "enduser", "org", f"user-{n}", n % 2 == 0, n, 0, b"{}")
    if n % 10 == 0:
        yield AssignmentRow(
            stream, 1, f"agent-{agent}", None, None, at, None, "assigned", until_inferred=False
        )
        yield QueueIntervalRow(stream, 1, f"queue-{queue}", None, at, None)
        yield SlaTagRow(stream, 1, "rare" if n % 5_000 == 0 else "common")
        yield MissedRow(
            *(stream, 1, "org", n, "repeat", "status", None, "e", "conversation.closed"),
            *(at - 1, at),
        )
        yield TagRow(stream, 1, "rare" if n % 5_000 == 0 else "common", f"tag-{n % 7}", at, None)
        yield AttributeRow(stream, 1, "order", "attribute-1", f"AU-{n}")
        yield AttributeRow(stream, 2, "level", "attribute-2", "Gold")
        yield SlaEvaluationRow(
            stream=stream,
            number=1,
            organization_id="org",
            csid=n,
            evaluation_id=None,
            policy=None,
            metric=None,
            status="breached" if n % 1_000 == 0 else "pending" if n % 500 == 0 else "achieved",
            deadline=at,
            since=at,
            began_at=at,
            breached_late_at=None,
            channel="EMAIL",
            channel_name="EMAIL",
            queue_id=f"queue-{queue}",
            queue_name=f"Queue {queue}",
            assignee_id=f"agent-{agent}",
            assignee_name=f"Agent {agent}",
        )


@pytest.fixture(scope="module")
def big(shared_place: Place) -> Place:
    views = shared_place.views
    with views.transaction(write=True) as connection:
        views.create(connection, 2, indexes=False)
        made = group(row for n in range(1, MANY + 1) for row in rows(n))
        for part in made.values():
            views.replace(connection, 2, [], part)
        for index in views.indexes(2):
            connection.run(index)
        views.publish(connection, 2)
        if views.dialect == "postgres":
            connection.run("ANALYZE")
    return shared_place


@pytest.fixture(autouse=True)
def few_of_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have as small a part of the rows count as few as in a store of 100,000 conversations."""
    monkeypatch.setattr(planning, "FEW", int(planning.FEW * SCALE))


_OF_FEW = ("_irregular", "_inferred", "_late", "_midlife", "_missed")
"""Indexes that hold no other rows than those that are wanted."""


def plan(place: Place, statement: tuple[str, dict[str, Any]]) -> list[str]:
    sql, parameters = statement
    explain = "EXPLAIN" if place.views.dialect == "postgres" else "EXPLAIN QUERY PLAN"
    with place.views.transaction() as connection:
        return [str(row[-1]) for row in connection.run(f"{explain} {sql}", **parameters)]


def plan_of_list(place: Place, listing: Listing, cursor: Cursor, limit: int) -> list[str]:
    with place.views.transaction() as connection:
        statement = listing.statement(connection, cursor, limit)
    return plan(place, statement)


_EMPTY = "(cost=0.00..0.00 "
"""How PostgreSQL estimates a table of which it knows that it is empty."""


def reads_a_whole_table(steps: list[str]) -> bool:
    """Find a scan of a table, or of an index without the order that lets a limit end it."""
    sorts = any("TEMP B-TREE FOR ORDER BY" in step for step in steps)
    few = {f"SCAN {name}" for name in ("t", "found", "page") if f"CO-ROUTINE {name}" in steps}
    return any(
        ("Seq Scan" in step and _EMPTY not in step and "_histories h" not in step)
        or (
            step.startswith("SCAN ")
            and step not in few  # they are found by a step before
            and step != "SCAN ordered"  # the chunks of one history
            and ("USING" not in step or (sorts and not step.endswith(_OF_FEW)))
        )
        or "(position<" in step
        for step in steps
    )


@pytest.mark.parametrize("cursor", CURSORS, ids=["first page", "next page"])
@pytest.mark.parametrize("question", CONVERSATIONS, ids=lambda question: question.asked)
def test_no_filter_of_conversations_reads_a_whole_table(
    big: Place, question: Conversations, cursor: Cursor
) -> None:
    listing = by_sort("-last_event_at", question.conditions(NOW))
    steps = plan_of_list(big, listing, cursor, 51)
    assert not reads_a_whole_table(steps), "\n".join(steps)


@pytest.mark.parametrize("kind", ["queue", "assignee", "agent", "tag"])
def test_names_are_looked_up_by_an_index_or_among_the_newest_rows(
    big: Place, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "NEWEST", 100)  # the histories have 4,000 rows here
    for statement in listing_statements(kind):
        steps = plan(big, (statement, {}))
        assert not reads_a_whole_table(steps), "\n".join((statement, *steps))


SEARCHES = [
    condition("Status", "IsOneOf", "Closed", "pending"),
    condition("Status", "IsOneOf", "AwaitingPending"),
    condition("Status", "IsNotOneOf", "Closed", "AwaitingPending"),
    condition("Channel", "IsOneOf", "WidgetChat"),
    condition("Channel", "IsNotOneOf", "Email"),
    condition("Direction", "IsOneOf", "Outbound"),
    condition("AgentId", "IsOneOf", "agent-7"),
    condition("AgentId", "IsNotOneOf", "agent-7"),
    condition("AgentId", "IsEmpty"),
    condition("QueueId", "IsNotEmpty"),
    condition("ContactId", "IsOneOf", "user-77", "user-78"),
    condition("ConversationId", "IsOneOf", 77, 78),
    condition("TagId", "IncludesAll", "rare", "tag-3"),
    condition("TagId", "IncludesOne", "rare", "tag-none"),
    condition("TagId", "ExcludesAll", "common", "rare"),
    condition("TagId", "ExcludesOne", "common", "rare"),
    condition("TagId", "IsEmpty"),
    condition("TagId", "IsNotEmpty"),
    condition("CreationDate", "Between", **{"from": THEN, "to": THEN + timedelta(hours=1)}),
    condition("ClosedDate", "Since", value=THEN),
    condition("ClosedDate", "Until", value=THEN),
    condition("ClosedDate", "IsEmpty"),
    condition("AssignedDate", "Until", value=THEN),
    condition("AssignedDate", "IsNotEmpty"),
    condition("LastMessage", "Until", value=THEN),
    condition("LastMessage", "Since", value=THEN + timedelta(days=9)),
    condition("LastActivity", "Between", **{"from": THEN, "to": THEN + timedelta(minutes=1)}),
    condition("Duration", "LongerThanOrEqualTo", value=1e9),
    condition("Duration", "ShorterThanOrEqualTo", value=1),
    condition("CustomAttribute", "IsOneOf", "AU-10", id="order"),
    condition("CustomAttribute", "IsNotOneOf", "AU-10", id="order"),
    condition("CustomAttribute", "IncludesAll", "AU-10", "AU-20", id="attribute-1"),
    condition("CustomAttribute", "IsEmpty", id="order"),
    condition("CustomAttribute", "IsNotEmpty", id="order"),
]


@pytest.mark.parametrize("cursor", CURSORS, ids=["first page", "next page"])
@pytest.mark.parametrize("asked", SEARCHES, ids=str)
def test_no_condition_of_a_search_reads_a_whole_table(
    big: Place, asked: Body, cursor: Cursor
) -> None:
    conditions = SearchBody.model_validate(body(asked)).conditions(NOW)
    listing = by_sort("-last_event_at", conditions)
    own = "SCAN met"  # the tags of one conversation, which are few
    steps = [step for step in plan_of_list(big, listing, cursor, 51) if step != own]
    assert not reads_a_whole_table(steps), "\n".join(steps)


def effort(place: Place, listing: Listing) -> int:
    """Count what a first page takes: thousands of SQLite's steps, or blocks of PostgreSQL."""
    with place.views.transaction() as connection:
        if place.views.dialect == "sqlite":
            raw, ticks = connection._cursor.connection, count(1)  # type: ignore[attr-defined]  # noqa: SLF001
            raw.set_progress_handler(lambda: next(ticks) < 0, 1_000)
            listing.select(connection, CURSORS[0], 51)
            raw.set_progress_handler(None, 0)
            return next(ticks)
        sql, parameters = listing.statement(connection, CURSORS[0], 51)  # the counts are bounded
        [(found,)] = connection.run(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", **parameters)
        return int(found[0]["Plan"]["Shared Hit Blocks"] + found[0]["Plan"]["Shared Read Blocks"])


@pytest.mark.parametrize("sort", ["-last_event_at", "-created_at"])
@pytest.mark.parametrize(
    "question",
    [
        Conversations(queue=("nowhere",)),
        Conversations(status=("closed",), queue=("nowhere",)),
        Conversations(status=("closed",), assignee=("nobody@example.com",)),
        Conversations(status=("closed",), tag=("rare",)),
        Conversations(tag=("common",)),
        Conversations(tag=("common",), status=("closed",)),
        Conversations(text="user"),
        Conversations(status=("closed",), text="user77"),
        Conversations(channel=("EMAIL",), requester=("user-77",)),
        Conversations(channel=("EMAIL",), irregular=True),
        Conversations(queue=("queue-3",)),
        Conversations(queue=("Queue 3", "queue-4")),
        Conversations(status=("open", "pending"), assignee=("agent7@example.com",)),
    ],
    ids=lambda question: question.asked,
)
def test_no_value_is_so_rare_or_so_common_that_it_takes_long(
    big: Place, question: Conversations, sort: Sort
) -> None:
    listing = by_sort(sort, question.conditions(NOW))
    assert effort(big, listing) < {"sqlite": 200, "postgres": 5_000}[big.views.dialect] * SCALE


@pytest.mark.parametrize("operator", ["IncludesAll", "ExcludesOne"])
def test_how_many_of_several_values_it_has_is_read_from_each_conversation_alone(
    big: Place, operator: str
) -> None:
    asked = condition("CustomAttribute", operator, "Gold", "Silver", id="level")
    listing = by_sort("-last_event_at", SearchBody.model_validate(body(asked)).conditions(NOW))
    assert effort(big, listing) < {"sqlite": 1_000, "postgres": 100_000}[big.views.dialect] * SCALE


def test_a_range_in_the_order_of_the_list_narrows_whatever_leads(
    big: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "FEW", 100)  # fewer than an agent has
    question = Conversations(assignee=("agent-7",), updated_since=THEN - timedelta(days=1))
    listing = by_sort("-last_event_at", question.conditions(NOW))
    assert effort(big, listing) < {"sqlite": 10, "postgres": 500}[big.views.dialect]


@pytest.mark.parametrize("sort", ["created_at", "csid", "waiting", "open_since", "deadline"])
def test_no_sort_of_conversations_reads_a_whole_table(big: Place, sort: Sort) -> None:
    listing = by_sort(sort, with_place(sort))
    for cursor in (CURSORS[0], Cursor(MANY, (5, "conversation/org/5"))):
        steps = plan_of_list(big, listing, cursor, 51)
        assert not reads_a_whole_table(steps), "\n".join(steps)


@pytest.mark.parametrize("as_of", [THEN, THEN + timedelta(seconds=MANY // 2)], ids=str)
@pytest.mark.parametrize(
    "question",
    [q for q in CONVERSATIONS if q.status or q.queue or q.assignee or q.tag],
    ids=lambda question: question.asked,
)
def test_no_filter_as_of_a_moment_reads_a_whole_table(
    big: Place, question: Conversations, as_of: datetime
) -> None:
    then = question.model_copy(update={"as_of": as_of})
    listing = by_sort("-created_at", narrowed=then.narrowed(big.tracker.grace))
    steps = plan_of_list(big, listing, CURSORS[0], 200)
    assert not reads_a_whole_table(steps), "\n".join(steps)


@pytest.mark.parametrize(
    "question",
    [
        Transitions(),
        Transitions(sort="-at"),
        Transitions(to_status="closed"),
        Transitions(from_status="closed"),
        Transitions(since=THEN),
        Transitions(until=THEN),
        Transitions(irregular=True),
        Transitions(starts_midlife=True),
        Transitions(inferred=True),
        Transitions(late=True),
        Transitions(csid=77),
    ],
    ids=lambda question: question.asked,
)
def test_no_filter_of_transitions_reads_a_whole_table(big: Place, question: Transitions) -> None:
    conditions = question.conditions(question.csid)
    listing = Listing("transitions", ("since", "stream", "sequence"), conditions)
    steps = plan_of_list(big, listing, CURSORS[0], 51)
    assert not reads_a_whole_table(steps), "\n".join(steps)


@pytest.mark.parametrize(
    "question",
    [
        SlaEvaluations(),
        SlaEvaluations(status=("pending",)),
        SlaEvaluations(status=("due_soon",)),
        SlaEvaluations(status=("overdue", "breached_open")),
        SlaEvaluations(status=("breached_late",)),
        SlaEvaluations(due_before=THEN),
        SlaEvaluations(queue=("queue-3",)),
        SlaEvaluations(agent=("Agent 7",)),
        SlaEvaluations(channel=("EMAIL",)),
        SlaEvaluations(tag=("rare",)),
        SlaEvaluations(csid=77),
    ],
    ids=lambda question: question.asked,
)
def test_no_filter_of_evaluations_reads_a_whole_table(big: Place, question: SlaEvaluations) -> None:
    columns = ("began_at", "stream", "number")
    listing = Listing("sla_evaluations", columns, question.conditions(NOW))
    steps = plan_of_list(big, listing, CURSORS[0], 51)
    assert not reads_a_whole_table(steps), "\n".join(steps)


def test_what_has_moved_on_is_found_by_an_index(big: Place) -> None:
    sql = "SELECT stream FROM conversations WHERE position > :position"
    assert not reads_a_whole_table(plan(big, (sql, {"position": MANY - 5})))


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (Conversations(closed_since=THEN + timedelta(days=29)), "conversations_closed"),
        (Conversations(reopened_since=THEN + timedelta(days=29)), "conversations_reopened"),
    ],
    ids=["ended", "reopened"],
)
def test_what_a_board_counts_of_today_is_found_by_its_time(
    big: Place, question: Conversations, index: str
) -> None:
    parameters = Parameters()
    sql = BY_STATUS.format(where=where(question.conditions(NOW), parameters))
    assert any(index in step for step in plan(big, (sql, parameters.values)))


def test_what_a_live_stream_follows_is_found_by_an_index(big: Place) -> None:
    for position in (0, MANY - 5):
        steps = plan(big, (CHANGED, {"position": position, "limit": 100}))
        assert not reads_a_whole_table(steps), "\n".join(steps)


@pytest.mark.parametrize("sql", [OF_REQUESTER, NEWEST, BANS])
def test_an_end_user_is_found_by_an_index(big: Place, sql: str) -> None:
    column = "subject" if sql == BANS else "requester_id"
    parameters = Parameters()
    found = where([OneOf((column,), ("user-77",))], parameters)
    steps = plan(big, (sql.format(where=found), parameters.values))
    assert not reads_a_whole_table(steps), "\n".join(steps)


@pytest.mark.parametrize(
    "question",
    [Missed(), Missed(field=("status",)), Missed(since=THEN), Missed(csid=77)],
    ids=lambda question: question.asked,
)
def test_no_filter_of_losses_reads_a_whole_table(big: Place, question: Missed) -> None:
    listing = Listing("missed", ("csid", "stream", "at", "number"), question.conditions())
    steps = plan_of_list(big, listing, CURSORS[0], 51)
    assert not reads_a_whole_table(steps), "\n".join(steps)
