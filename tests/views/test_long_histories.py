"""A conversation with a long history: what one more event costs does not grow with it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter, thread_time
from typing import Any

import pytest
from projections import NOON, deliver, findings, opened, project, replay, rows

from dixa_state import open_tracker
from dixa_state.domain import histories
from dixa_state.domain.states import encode
from dixa_state.questions import Ban, Bans, Conversations, OneConversation, Reader
from dixa_state.questions.changes import changed_conversations
from dixa_state.views.projector import Projector
from dixa_state.views.rows import changed_rows

START = datetime(2026, 1, 5, tzinfo=UTC)
Story = Callable[[int], dict[str, Any]]


def reopenings(number: int) -> dict[str, Any]:
    closed = number % 2 == 0
    return {
        "event_fqn": "CONVERSATION_CLOSED" if closed else "CONVERSATION_OPEN",
        "data": {"conversation": {"csid": 1, "status": "CLOSED" if closed else "OPEN"}},
    }


def tags(number: int) -> dict[str, Any]:
    kind = "ADDED" if number % 2 == 0 else "REMOVED"
    data = {"conversation": {"csid": 1}, "tag": {"name": f"tag {number // 2 % 5}"}}
    return {"event_fqn": f"CONVERSATION_TAG_{kind}", "data": data}


def assignments(number: int) -> dict[str, Any]:
    agent = {"id": f"agent-{number % 3}", "name": "Ida", "user_type": "Member"}
    data = {"conversation": {"csid": 1, "assignee": agent}, "agent": agent}
    return {"event_fqn": "CONVERSATION_ASSIGNED", "data": data}


def messages(number: int) -> dict[str, Any]:
    customer = {"id": "user-1", "user_type": "Contact"}
    agent = {"id": "agent-1", "name": "Ida", "user_type": "Member"}
    author, direction = (customer, "INBOUND") if number % 2 == 0 else (agent, "OUTBOUND")
    message = {"message_id": f"m{number}", "author": author, "direction": direction}
    return {
        "event_fqn": "CONVERSATION_MESSAGE_ADDED",
        "data": {"conversation": {"csid": 1}, **message},
    }


def evaluations(number: int) -> dict[str, Any]:
    kind = "ACHIEVED" if number % 2 else "PENDING"
    data = {"conversation": {"csid": 1}, "id": f"sla-{number // 2}"}
    return {"event_fqn": f"SLA_EVALUATION_{kind}", "data": data}


def one_evaluation(_number: int) -> dict[str, Any]:
    data = {"conversation": {"csid": 1}, "id": "sla-1"}
    return {"event_fqn": "SLA_EVALUATION_PENDING", "data": data}


def lost_reopenings(_number: int) -> dict[str, Any]:
    data = {"conversation": {"csid": 1, "status": "CLOSED"}}
    return {"event_fqn": "CONVERSATION_CLOSED", "data": data}


def lost_assignments(number: int) -> dict[str, Any]:
    agent = {"id": f"agent-{number % 3}", "name": "Ida", "user_type": "Member"}
    data = {"conversation": {"csid": 1, "assignee": agent}}
    return {"event_fqn": "CONVERSATION_NOTE_ADDED", "data": data}


def bans(number: int) -> dict[str, Any]:
    kind = "BANNED" if number % 2 == 0 else "UNBANNED"
    data = {"user": {"id": "user-1", "email": "user1@example.com"}}
    return {"event_fqn": f"AGENT_{kind}_ENDUSER", "data": data}


STORIES = (
    reopenings,
    tags,
    assignments,
    messages,
    evaluations,
    one_evaluation,
    lost_reopenings,
    lost_assignments,
    bans,
)


SEVERAL = (reopenings, tags, assignments, messages, evaluations)
KINDS = len(SEVERAL)


def everything(number: int) -> dict[str, Any]:
    return SEVERAL[number % KINDS](number // KINDS)


def body(story: Story, number: int, at: datetime | None = None, organization: str = "org") -> bytes:
    time = at or START + timedelta(minutes=number)
    webhook = story(number) | {
        "event_id": f"{story.__name__}-{number}-{time.timestamp()}-{organization}",
        "event_timestamp": time.isoformat().replace("+00:00", "Z"),
        "organization": {"id": organization},
    }
    return json.dumps(webhook).encode()


def test_long_histories_are_projected_replayed_and_read_as_they_are_folded(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of history is that of an organization of its own."""
    monkeypatch.setattr(histories, "CHUNK", 4)
    names = {story.__name__ for story in STORIES}
    late = START + timedelta(minutes=20, seconds=30)
    with opened(store_url) as place:
        for start in range(0, 60, 7):
            for story in STORIES:
                numbers = range(start, start + 7)
                deliver(place[0], [body(story, n, None, story.__name__) for n in numbers])
            project(place, batch_size=5)
            assert findings(store_url, place) == []
        deliver(place[0], [body(story, 101, late, story.__name__) for story in STORIES])
        project(place)
        assert findings(store_url, place) == []
        live = rows(place[1])
        long = {str(row[0]).split("/")[1] for row in live["histories"]}
        assert long >= names - {"one_evaluation"}
        replay(store_url, place)
        assert rows(place[1]) == live
        reader = Reader(*place)
        expected = [Ban.model_validate(ban) for ban in place[0].bans()]
        assert list(reader.every(Bans(history=True))) == expected
        changed = {state.organization_id: state for state in changed_conversations(reader, 0, 10)}
        assert changed.keys() == names - {"bans"}
        for name, state in changed.items():
            asked = OneConversation(csid=1, organization=name).state(reader)
            told = place[0].conversation(1, organization=name)
            assert encode(state) == encode(asked) == encode(told)
        assert [one.version for one in reader.ask(Conversations()).items] == [64] * len(changed)


@pytest.mark.parametrize("story", STORIES)
def test_one_more_event_writes_no_more_than_the_twentieth(story: Story) -> None:
    def written(count: int) -> int:
        """Return the mean size of the rows that an event rewrites, over a chunk of events."""
        more = 2 * histories.CHUNK
        with open_tracker("memory:") as tracker:
            deliver(tracker, [body(story, number) for number in range(count + more)])
            [stream] = tracker.event_recorder.select_streams(
                "enduser/" if story is bans else "conversation/"
            )
            stored = tracker.event_recorder.select_stream(stream)
            state = tracker.fold(stored[:count]).state
            size = 0
            for event in stored[count:]:
                assert state is not None
                further = tracker.fold_further(state, [event])
                assert further is not None
                assert further.state is not None
                deleted, inserted = changed_rows(stream, state, further.state)
                size += len(repr(deleted)) + len(repr(inserted))
                state = further.state
            return size // more

    assert written(3_000) < 3 * written(20)


def test_a_late_event_of_a_long_history_is_folded_in_time_that_grows_with_its_length() -> None:
    """Eight times as many events: with the square, it would take sixty-four times as long."""

    def seconds(count: int) -> float:
        with open_tracker("memory:") as tracker:
            deliver(tracker, [body(reopenings, number) for number in range(count)])
            [stream] = tracker.event_recorder.select_streams("conversation/")
            stored = tracker.event_recorder.select_stream(stream)

            def folded() -> float:
                began = thread_time()
                assert tracker.fold(stored).state is not None
                return thread_time() - began

            return min(folded() for _ in range(3))

    assert seconds(8_000) < 16 * seconds(1_000)


@pytest.mark.parametrize("many", [4_000, pytest.param(20_000, marks=pytest.mark.long)])
def test_one_more_event_costs_at_most_three_times_as_much_after_many_thousands(
    store_url: str, many: int
) -> None:
    def seconds(number: int, organization: str) -> float:
        deliver(place[0], [body(everything, number, organization=organization)])
        began = clock()
        assert projector.catch_up()
        return clock() - began

    # PostgreSQL works in another process: only the time of day has its part
    clock = thread_time if store_url.startswith("sqlite:") else perf_counter
    with opened(store_url) as place:
        for organization, count in (("long", many), ("short", 20)):
            bodies = [body(everything, n, organization=organization) for n in range(count)]
            deliver(place[0], bodies)
        replay(store_url, place)
        projector = Projector(*place)
        # in turns, and the fastest of each kind: what else the machine does slows some of both
        taken = [(seconds(many + n, "long"), seconds(20 + n, "short")) for n in range(8 * KINDS)]
        fastest = [
            [min(times) for times in zip(*taken[kind::KINDS], strict=True)] for kind in range(KINDS)
        ]
        long, short = (sum(times) for times in zip(*fastest, strict=True))
        assert long < 3 * short


def test_bodies_of_the_stories_are_stored() -> None:
    with open_tracker("memory:") as tracker:
        for story in STORIES:
            assert tracker.append(body(story, 1), received_at=NOON).kind == "appended"
