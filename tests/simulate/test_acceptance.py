"""The judge's verdict: the state told from what was delivered is what truly was, on any database.

The simulator knows the truth because it made it happen; it shares nothing with the fold.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dixa_state import ConversationTracker, Webhook, open_tracker
from dixa_state.domain.timestamps import parse_time
from dixa_state.questions import Answer, describe
from dixa_state.questions.transitions import describe_transition
from dixa_state.simulate import Plan, bodies, pretty_json

Document = dict[str, Any]

MADE_BY_DROPS = ("kind", "dropped", "revealed", "certain")
STILL_RUNNING = ("as_of", "durations", "transitions")


@pytest.fixture
def tracker(store_url: str) -> Iterator[ConversationTracker]:
    with open_tracker(store_url) as tracker:
        yield tracker


def only(told: Document, wanted: Document) -> Document:
    """Keep of an object what another one has, so that the two can be compared."""
    return {name: alike(told[name], value) for name, value in wanted.items()}


def alike(told: Any, wanted: Any) -> Any:
    match told, wanted:
        case dict(), dict() if wanted:
            return only(told, wanted)
        case list(), list() if wanted and isinstance(wanted[0], dict):
            return [only(one, wanted[0]) for one in told]
        case _:
            return exactly(told)


def exactly(value: Any) -> Any:
    """Take sums of seconds as what they are to the millisecond."""
    return round(value, 3) if isinstance(value, float) else value


def without(told: Document, names: tuple[str, ...]) -> Document:
    return {name: value for name, value in told.items() if name not in names}


def status_of(tracker: ConversationTracker, truth: Document) -> Document:
    """Tell what `status --json` and `audit --json` say as of the moment of the truth."""
    end = parse_time(truth["as_of"])
    state = tracker.conversation(truth["csid"], as_of=end)
    moves = [
        document(describe_transition(state.organization_id, state.csid, move))
        for move in state.life.transitions
    ]
    return {**document(describe(state, now=end, as_of=end)), "transitions": moves}


def document(answer: Answer) -> Document:
    return answer.model_dump(mode="json", by_alias=True)


def same_moves(moves: list[Document], truth: Document) -> bool:
    wanted = truth["transitions"]
    kept = [only(move, wanted[0]) for move in moves]
    regular = not any(move["inferred"] or move["irregular"] for move in moves)
    return regular and kept == [only(move, move) for move in wanted]


@pytest.mark.parametrize("count", [120, pytest.param(500, marks=pytest.mark.long)])
def test_with_duplicates_and_delays_every_conversation_and_ban_is_told_as_it_truly_is(
    simulated: Callable[..., Any],
    call: Callable[..., Any],
    tracker: ConversationTracker,
    count: int,
) -> None:
    files = simulated(count, "--duplicates", 0.1, "--shuffle", 3600)
    truths = files.conversations
    assert call("ingest", files.bodies).code == 0

    assert len(truths) == count
    for truth in truths.values():
        status, wanted = status_of(tracker, truth), without(truth, MADE_BY_DROPS)
        assert same_moves(status.pop("transitions"), wanted)
        del wanted["transitions"]
        assert only(status, wanted) == only(wanted, wanted)

    listed = {row["csid"]: row for row in call("list", "--json").rows}
    assert listed.keys() == truths.keys()
    for csid, truth in truths.items():
        wanted = without(truth, (*MADE_BY_DROPS, *STILL_RUNNING))
        assert only(listed[csid], wanted) == wanted

    bans = {row["id"]: row for row in call("bans", "--json", "--history").rows}
    assert bans.keys() == files.bans.keys()
    for subject, truth in files.bans.items():
        told = bans[subject]
        told["history"] = [only(change, truth["history"][0]) for change in told["history"]]
        wanted = {name: value for name, value in truth.items() if name != "dropped"}
        assert only(told, wanted) == wanted


@pytest.mark.parametrize("count", [200, pytest.param(600, marks=pytest.mark.long)])
def test_where_a_later_snapshot_reveals_what_was_dropped_the_status_is_the_true_one(
    simulated: Callable[..., Any],
    call: Callable[..., Any],
    tracker: ConversationTracker,
    count: int,
) -> None:
    files = simulated(count, "--duplicates", 0.1, "--shuffle", 3600, "--drop", 0.04, seed=2)
    assert call("ingest", files.bodies).code == 0

    revealed = 0
    for truth in files.conversations.values():
        if not truth["dropped"]:
            continue
        status = status_of(tracker, truth)
        wanted = {name: truth[name] for name in truth["certain"]}
        assert only(status, wanted) == only(wanted, wanted)
        if truth["revealed"] is not False:
            assert status["status"] == truth["status"]
        if truth["revealed"]:
            revealed += 1
            last = status["transitions"][-1]
            assert (last["inferred"], last["to"]) == (True, truth["status"])
            assert last["at"] >= [lost["at"] for lost in truth["dropped"] if lost["to"]][-1]
    assert revealed > 5


@pytest.mark.parametrize("drop", [0.2, 0.5, 0.9])
def test_however_much_is_dropped_what_was_told_or_revealed_last_is_the_status(drop: float) -> None:
    plan = Plan(conversations=100, seed=3, days=14, drop=drop)
    truths: list[Document] = []
    with open_tracker("memory:") as tracker:
        tracker.append_many(
            [Webhook(pretty_json(body), at) for at, body in bodies(plan, truths.append)]
        )
        known = [told for told in truths if told.get("revealed", False) is not False]
        for truth in known:
            assert status_of(tracker, truth)["status"] == truth["status"]
    assert 0 < len(known) < 100
