"""The judge: compares what a store tells with what truly was, and says what differs.

What must be the same whatever the order of arrival is written here as `neutral`: all of a state but
`received_at`, `late` and `position`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
from orders import Sent
from worlds import HOME, Document, Story

from dixa_state import ConversationTracker, Webhook, open_tracker
from dixa_state.dixa.streams import csid_of
from dixa_state.domain import bans
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import Event, Order, mark_late
from dixa_state.domain.states import encode
from dixa_state.domain.timestamps import parse_time, shorten
from dixa_state.questions import Answer, describe
from dixa_state.questions.bans import Ban as BanAnswer
from dixa_state.questions.transitions import describe_transition
from dixa_state.store.append import Outcome

State = Conversation | Ban

_LAST = 2**63 - 1
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_MADE_BY_DROPS = ("kind", "dropped", "revealed", "certain")


class DisagreementError(AssertionError):
    """Something is not as it must be."""


def require_same(what: str, expected: object, got: object) -> None:
    """Say what differs, if anything does."""
    if expected != got:
        raise DisagreementError(f"{what}: expected {_told(expected)}, got {_told(got)}")


def _told(value: object) -> str:
    text = value.decode() if isinstance(value, bytes) else str(value)
    return shorten(text, 2_000)


def neutral(state: State) -> bytes:
    """Write a state without what tells how it came in, and whose it is."""
    if isinstance(state, Ban):
        history = tuple(replace(c, received_at=_NEVER, late=False) for c in state.history)
        return encode(replace(state, organization_id=HOME, position=0, history=history))
    moves = tuple(replace(m, received_at=_NEVER, late=False) for m in state.life.transitions)
    life = replace(state.life, transitions=moves)
    return encode(replace(state, organization_id=HOME, position=0, late=0, life=life))


def reference(story: Story, **moment: Any) -> bytes:
    """Give the neutral state of a story whose webhooks came as things happened."""
    with open_tracker("memory:") as tracker:
        tracker.append_many([Webhook(body.raw, _NEVER) for body in story.bodies])
        return neutral(state_of(tracker, story, **moment))


def state_of(tracker: ConversationTracker, story: Story, **moment: Any) -> State:
    """Have a tracker fold the state of a story, whatever the views hold."""
    organization = story.truth["organization_id"]
    if story.kind == "conversation":
        csid = csid_of(story.stream)
        return tracker.conversation(csid, organization=organization, up_to=_LAST, **moment)
    events = events_of(tracker, story.stream)
    return bans.fold(Ban(organization, story.truth["kind"], bans.subject(events[0].fact)), events)


def events_of(tracker: ConversationTracker, stream: str) -> list[Event]:
    """Read the events of a stream, in order of arrival."""
    return mark_late(map(tracker.read, tracker.event_recorder.select_stream(stream)))


def judge_outcomes(
    sent: Sequence[Sent], outcomes: Sequence[Outcome], *, in_turn: bool = True
) -> None:
    """Each event is appended once, to the next position of all, and recognised ever after."""
    of_event: dict[str, list[Outcome]] = defaultdict(list)
    for one, outcome in zip(sent, outcomes, strict=True):
        of_event[one.event_id].append(outcome)
    positions = []
    for event_id, became in of_event.items():
        kinds = [outcome.kind for outcome in became]
        expected = ["appended", *["duplicate"] * (len(kinds) - 1)]
        require_same(f"outcomes of {event_id}", expected, kinds if in_turn else sorted(kinds))
        require_same(f"positions of {event_id}", 1, len({o.position for o in became}))
        positions.append(became[0].position or 0)
    start = min(positions)
    ordered = positions if in_turn else sorted(positions)
    require_same("positions", list(range(start, start + len(positions))), ordered)


def judge_truth(story: Story, state: State) -> None:
    """What the state says is what truly was."""
    truth = story.truth
    if isinstance(state, Ban):
        if truth["dropped"]:
            return
        told = _document(BanAnswer.model_validate(state))
        changes = [_only(change, truth["history"][0]) for change in told["history"]]
        wanted = {name: value for name, value in truth.items() if name != "dropped"}
        _require_told(story, {**told, "history": changes}, wanted)
    elif not truth["dropped"]:
        told = _status(state, truth)
        require_same(f"irregular moves of {story.stream}", (0, 0), _doubts(state))
        wanted = {name: truth[name] for name in truth if name not in _MADE_BY_DROPS}
        _require_told(story, told, wanted)
    else:
        _judge_with_drops(story, _status(state, truth))


def _judge_with_drops(story: Story, told: Document) -> None:
    truth = story.truth
    _require_told(story, told, {name: truth[name] for name in truth["certain"]})
    if truth["revealed"] is not False:
        require_same(f"status of {story.stream}", truth["status"], told["status"])
    if truth["revealed"]:
        last = told["transitions"][-1]
        require_same(f"the last move of {story.stream}", truth["status"], last["to"])


def judge_asked(tracker: ConversationTracker, story: Story, state: State) -> None:
    """Whoever asks is told what is folded, be it from the views."""
    if isinstance(state, Conversation):
        told = tracker.conversation(state.csid, organization=story.truth["organization_id"])
        require_same(f"what is told of {story.stream}", encode(state), encode(told))


def judge_arrival(tracker: ConversationTracker, story: Story, state: State) -> None:
    """Late is what came after something later, by a definition of our own."""
    late, seen = set(), list[Order]()
    for event in events_of(tracker, story.stream):
        if any(order > event.order for order in seen):
            late.add(event.event_id)
        seen.append(event.order)
    if isinstance(state, Ban):
        told = {change.event_id for change in state.history if change.late}
        require_same(f"late changes of {story.stream}", late, told)
        return
    require_same(f"late events of {story.stream}", len(late), state.late)
    for move in state.life.transitions:
        require_same(f"lateness of {move.event_id}", move.event_id in late, move.late)


def judge_bytes(tracker: ConversationTracker, stream: str, sent: Iterable[Sent]) -> None:
    """Each event is stored as one of its deliveries, byte for byte."""
    came: dict[str, set[bytes]] = defaultdict(set)
    for one in sent:
        came[one.event_id].add(one.webhook.body)
    stored = tracker.event_recorder.select_stream(stream)
    versions = [event.originator_version for event in stored]
    require_same(f"versions of {stream}", list(range(1, len(stored) + 1)), versions)
    for event in stored:
        read = tracker.read(event)
        body = event.state.partition(b',"body":')[2][:-1]
        require_same(f"the bytes of {read.event_id}", True, body in came[read.event_id])


def _status(state: Conversation, truth: Document) -> Document:
    end = parse_time(truth["as_of"])
    moves = [
        _document(describe_transition(state.organization_id, state.csid, move))
        for move in state.life.transitions
    ]
    return {**_document(describe(state, now=end, as_of=end)), "transitions": moves}


def _document(answer: Answer) -> Document:
    return answer.model_dump(mode="json", by_alias=True)


def _doubts(state: Conversation) -> tuple[int, int]:
    moves = state.life.transitions
    return sum(m.irregular is not None for m in moves), sum(m.inferred for m in moves)


def _require_told(story: Story, told: Any, wanted: Document) -> None:
    for name, value in wanted.items():
        where = f"{name} of {story.stream}"
        require_same(where, _exactly(value), _exactly(_alike(told[name], value)))


def _alike(told: Any, wanted: Any) -> Any:
    """Keep of what is told what the truth speaks of."""
    match told, wanted:
        case dict(), dict() if wanted:
            return _only(told, wanted)
        case list(), list() if wanted and isinstance(wanted[0], dict):
            return [_only(one, wanted[0]) for one in told]
        case _:
            return told


def _only(told: Document, wanted: Document) -> Document:
    return {name: told[name] for name in wanted}


def _exactly(value: Any) -> Any:
    """Take sums of seconds as what they are to the millisecond."""
    match value:
        case float():
            return round(value, 3)
        case dict():
            return {name: _exactly(one) for name, one in value.items()}
        case list():
            return [_exactly(one) for one in value]
        case _:
            return value
