"""The rows that a change takes away and brings are those in which all rows differ."""

from collections import defaultdict
from datetime import UTC, datetime

from dixa_state.dixa.body import identify, read_event
from dixa_state.domain.conversation import Conversation, initial
from dixa_state.domain.events import Event
from dixa_state.domain.fold import evolve
from dixa_state.domain.states import as_kept
from dixa_state.simulate import Plan, bodies, json_line
from dixa_state.views.rows import changed_rows, rows
from dixa_state.views.tables import KEYS, TABLE_OF, Row

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def histories() -> dict[str, list[Event]]:
    """Give the events of some simulated conversations, in order."""
    found: dict[str, list[Event]] = defaultdict(list)
    for number, simulated in enumerate(bodies(Plan(conversations=50, seed=4))):
        body = json_line(simulated.body)
        known = identify(body)
        event = read_event(
            body, topic=known.topic, received_at=NOW, version=number + 1, position=number + 1
        )
        found[known.stream].append(event)
    conversations = {name: some for name, some in found.items() if name.startswith("conv")}
    return {name: sorted(some, key=lambda one: one.order) for name, some in conversations.items()}


def key(row: Row) -> tuple[object, ...]:
    table = TABLE_OF[type(row)]
    return (table, *(getattr(row, column) for column in KEYS[table]))


def test_a_change_brings_the_rows_that_are_new_and_takes_those_that_are_gone() -> None:
    steps = 0
    for stream, events in histories().items():
        states: list[Conversation | None] = [None]
        state = initial(events[0].organization_id, 7)
        for event in events:
            state = evolve(state, event)
            kept = as_kept(state)
            assert isinstance(kept, Conversation)
            states.append(kept)
        for before in (states[0], states[len(states) // 2], states[-2]):
            for after in states[1:]:
                assert after is not None
                old = set(rows(stream, before)) if before else set()
                new = set(rows(stream, after))
                gone, brought = changed_rows(stream, before, after)
                if before != after:
                    assert set(map(key, gone)) == set(map(key, old - new))
                    assert set(brought) == new - old
                assert len(brought) == len(set(brought))
                steps += 1
    assert steps > 1_000
