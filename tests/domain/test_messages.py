import pytest
from story import ANNA, BOT, METTE, OMAR, after, at, clock, wall

from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import Event, MessageAdded, Snapshot, User
from dixa_state.domain.messages import Opening


def asks(time: str) -> Event:
    return at(time, MessageAdded(direction="inbound", author=METTE))


def answers(time: str, author: User | None = ANNA) -> Event:
    return at(time, MessageAdded(direction="outbound", author=author))


def gaps(state: Conversation) -> list[tuple[str | None, str | None, str | None]]:
    return [
        (wall(gap.asked_at), wall(gap.answered_at), gap.agent.name if gap.agent else None)
        for gap in state.messages.responses
    ]


def test_messages_are_counted_by_direction() -> None:
    state = after(asks("08:00"), asks("08:01"), answers("08:02"), answers("08:03", BOT))
    assert (state.messages.inbound, state.messages.outbound) == (2, 2)


def test_a_message_without_a_direction_is_only_the_last_message() -> None:
    state = after(asks("08:00"), at("08:05", MessageAdded(author=ANNA)))
    assert (state.messages.inbound, state.messages.outbound) == (1, 0)
    assert wall(state.messages.last_at) == "08:05"
    assert wall(state.messages.last_customer_at) == "08:00"


def test_an_answer_closes_the_gap_that_the_first_unanswered_message_opened() -> None:
    state = after(asks("08:00"), asks("08:04"), answers("08:05"))
    assert gaps(state) == [("08:00", "08:05", "Anna")]
    assert state.messages.responses[0].seconds == 300
    assert state.messages.waiting_since is None


def test_every_gap_has_its_answer() -> None:
    state = after(
        asks("08:00"),
        answers("08:05"),
        answers("08:06"),
        asks("09:00"),
        asks("09:10"),
        answers("09:30", OMAR),
        asks("10:00"),
    )
    assert gaps(state) == [("08:00", "08:05", "Anna"), ("09:00", "09:30", "Omar")]
    assert wall(state.messages.waiting_since) == "10:00"


@pytest.mark.parametrize(
    "author",
    [
        None,
        BOT,
        User(),
        User(id="x", user_type="Contact"),
        User(id="x", roles=("Enduser",)),
        User(id="x", roles=("EndUser",)),
    ],
    ids=str,
)
def test_only_a_human_agent_answers(author: User | None) -> None:
    state = after(asks("08:00"), answers("08:00:01", author), answers("08:05"))
    assert gaps(state) == [("08:00", "08:05", "Anna")]
    assert state.messages.outbound == 2


@pytest.mark.parametrize(
    "author",
    [
        User(id="x", user_type="Member"),
        User(id="x", user_type="member", roles=("Enduser",)),
        User(id="x", roles=("Agent",)),
        User(email="anna@aurora.example"),
    ],
    ids=str,
)
def test_older_payloads_show_an_agent_by_not_being_an_end_user(author: User) -> None:
    state = after(asks("08:00"), answers("08:05", author))
    assert len(state.messages.responses) == 1


def test_a_first_message_by_an_agent_is_an_answer_to_nobody() -> None:
    state = after(answers("08:00"), asks("09:00"), answers("09:10"))
    assert state.messages.opening == Opening(clock("08:00"), ANNA)
    assert gaps(state) == [("09:00", "09:10", "Anna")]


def test_an_automatic_first_message_is_no_opening_by_an_agent() -> None:
    state = after(answers("08:00", BOT), asks("09:00"), answers("09:10"))
    assert state.messages.opening is None


def test_a_second_message_by_an_agent_is_no_opening() -> None:
    state = after(asks("08:00"), answers("08:05"), answers("08:06"))
    assert state.messages.opening is None


def test_messages_count_in_event_time_order_whatever_the_arrival() -> None:
    state = after(answers("08:05"), asks("08:00"))
    assert gaps(state) == [("08:00", "08:05", "Anna")]
    assert wall(state.messages.last_at) == "08:05"


def test_a_snapshot_counts_no_message() -> None:
    state = after(
        at("08:00", MessageAdded(direction="inbound"), shows=Snapshot(direction="OUTBOUND"))
    )
    assert state.messages.inbound == 1
