"""Histories in pieces: stored in chunks, and detached during a fold, they come to the same."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dixa_state import fold as folding
from dixa_state import open_tracker
from dixa_state.domain import histories
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import Order
from dixa_state.domain.states import decode_ban, decode_conversation, encode
from dixa_state.fold import State
from dixa_state.simulate import Plan, bodies, json_line


def states() -> dict[str, State]:
    """Return the states of all streams of a simulated store."""
    with open_tracker("memory:") as tracker:
        for simulated in bodies(Plan(conversations=60, seed=3)):
            tracker.append(json_line(simulated.body), received_at=datetime(2026, 3, 2, tzinfo=UTC))
        recorder = tracker.event_recorder
        found = {}
        for prefix in ("conversation/", "enduser/", "ip/"):
            for stream in recorder.select_streams(prefix):
                found[stream] = tracker.fold(recorder.select_stream(stream)).state
    return {stream: state for stream, state in found.items() if state is not None}


def test_every_growing_part_of_a_state_is_a_history() -> None:
    found = histories.paths(Conversation(organization_id=None, csid=1))
    assert set(histories.APPENDED) < set(found)
    assert "sla" in found
    assert "ratings" in found


def test_a_state_in_chunks_is_read_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "CHUNK", 2)
    split = 0
    for state in states().values():
        lines = [encode(histories.recent(state))]
        for path in histories.paths(state):
            history = histories.get(state, path)
            for number in range(histories.full_chunks(history)):
                lines.append(histories.encode_chunk(path, history, number))  # noqa: PERF401
        split += len(lines) > 1
        decode = decode_conversation if isinstance(state, Conversation) else decode_ban
        assert decode(b"\n".join(lines)) == state
        assert all(
            len(histories.get(histories.recent(state), path)) < 4 for path in histories.paths(state)
        )
    assert split > 10


def test_a_fold_that_detaches_what_is_older_comes_to_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = states()
    monkeypatch.setattr(folding, "_BLOCK", 3)
    assert states() == expected


@given(st.lists(st.integers(0, 2), max_size=6), st.lists(st.integers(0, 2), max_size=6))
def test_the_common_prefix_is_what_two_histories_begin_with(
    one: list[int], other: list[int]
) -> None:
    count = histories.common_prefix(tuple(one), tuple(other))
    assert one[:count] == other[:count]
    assert one[count : count + 1] != other[count : count + 1] or count == len(one) == len(other)


def test_tags_of_the_last_moments_are_not_detached() -> None:
    """An event may explain the inference of any of them."""
    change = histories.TagChange("vip", True, datetime(2026, 3, 2, tzinfo=UTC), "e", False)
    state = Conversation(
        organization_id=None, csid=1, tag_history=(change,) * 5, newest=Order(change.at, 0, "e")
    )
    older = histories.Older()
    assert histories.detach(state, older, timedelta(seconds=10), keep=2) is state
    later = Conversation(
        organization_id=None,
        csid=1,
        tag_history=(change,) * 5,
        newest=Order(change.at + timedelta(seconds=11), 0, "e"),
    )
    assert len(histories.detach(later, older, timedelta(seconds=10), keep=2).tag_history) == 2
    assert len(older["tag_history"]) == 3
