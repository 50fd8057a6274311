"""The rows of a state: a pure function, so that live rows and rebuilt ones are equal."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from dixa_state.dixa.catalog import spelling
from dixa_state.domain import sla
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.lifecycle import status_from_dixa
from dixa_state.domain.metrics import durations
from dixa_state.domain.states import encode
from dixa_state.views.tables import (
    EPOCH,
    AssignmentRow,
    AttributeRow,
    BanRow,
    ConversationRow,
    QueueIntervalRow,
    QueueVisitRow,
    RatingRow,
    Row,
    SlaEvaluationRow,
    TagRow,
    TransitionRow,
    WordRow,
    micros,
)
from dixa_state.views.texts import attribute_text, findable, storable, words


def has_views(stream: str) -> bool:
    """Return whether a stream has rows in the views."""
    return stream.startswith(("conversation/", "enduser/", "ip/"))


def rows(stream: str, state: Conversation | Ban) -> Iterator[Row]:
    """Yield every row of a state."""
    if isinstance(state, Ban):
        yield _ban(stream, state)
        return
    yield _conversation(stream, state)
    for make, _ in _PARTS:
        yield from make(stream, state)


def changed_rows(
    stream: str, before: Conversation | Ban | None, after: Conversation | Ban
) -> tuple[list[Row], list[Row]]:
    """Return the rows that a change of state deletes, by their keys, and those that it inserts."""
    if not isinstance(before, Conversation) or not isinstance(after, Conversation):
        return list(rows(stream, before)) if before else [], list(rows(stream, after))
    old: set[Row] = set()
    new: list[Row] = []
    for make, fields in _PARTS:
        if any(getattr(before, field) != getattr(after, field) for field in fields):
            old.update(make(stream, before))
            new += make(stream, after)
    row = _conversation(stream, after)  # every event changes it
    return [row, *old.difference(new)], [row, *(one for one in new if one not in old)]


def _optional_micros(time: datetime | None) -> int | None:
    return None if time is None else micros(time)


def _conversation(stream: str, state: Conversation) -> ConversationRow:
    first_event = state.first_event_at or EPOCH
    created = micros(state.created_at or first_event)
    measured = durations(state, state.last_event_at or EPOCH)
    moves = state.life.transitions
    ended = next((micros(move.at) for move in reversed(moves) if move.after in _ENDS), None)
    queue, agent, requester = state.queue, state.assignee, state.requester
    held = state.assignments[-1] if state.assignments else None
    return ConversationRow(
        stream=stream,
        organization_id=storable(state.organization_id),
        csid=state.csid,
        status=state.life.status,
        dixa_status=_foreign_status(state.dixa_status),
        status_since=_optional_micros(state.life.since),
        channel=findable(state.channel),
        direction=findable(state.direction),
        queue_id=findable(queue.key) if queue else None,
        queue_name=findable(queue.name) if queue else None,
        assignee_id=findable(agent.key) if agent else None,
        assignee_name=findable(agent.name) if agent else None,
        assignee_email=findable(agent.email) if agent else None,
        requester_id=findable(requester.key) if requester else None,
        requester_email=findable(requester.email) if requester else None,
        sla_status=sla.summarise(state.sla),
        created_at=created,
        last_event_at=micros(state.last_event_at or first_event),
        last_message_at=_optional_micros(state.messages.last_at),
        assigned_at=_optional_micros(held.since if held and held.until is None else None),
        closed_at=ended,
        duration=_duration(state, created, ended),
        entered_queue=bool(state.visits),
        irregular=sum(move.irregular is not None for move in moves),
        inferred=sum(move.inferred for move in moves),
        first_response=measured.first_response,
        first_resolution=measured.first_resolution,
        full_resolution=measured.full_resolution,
        version=state.version,
        position=state.position,
        state=encode(state),
    )


_ENDS = ("closed", "abandoned")


def _duration(state: Conversation, created: int, ended: int | None) -> float | None:
    if ended is None or state.life.status not in _ENDS:
        return None
    return max(ended - created, 0) / 1_000_000


def _foreign_status(text: str | None) -> str | None:
    """Return Dixa's status where it is none of ours, such as `awaitingpending`."""
    return None if status_from_dixa(text) else findable(spelling(text or "") or None)


def _transitions(stream: str, state: Conversation) -> Iterator[TransitionRow]:
    moves = state.life.transitions
    ends = [*(micros(move.at) for move in moves[1:]), None]
    for move, until in zip(moves, ends, strict=False):
        yield TransitionRow(
            stream=stream,
            sequence=move.sequence,
            organization_id=storable(state.organization_id),
            csid=state.csid,
            before=move.before,
            after=move.after,
            since=micros(move.at),
            until=until,
            irregular=move.irregular,
            inferred=move.inferred,
            late=move.late,
            move=encode(move),
        )


def _assignments(stream: str, state: Conversation) -> Iterator[AssignmentRow]:
    for number, hold in enumerate(state.assignments, start=1):
        agent = hold.agent
        yield AssignmentRow(
            stream,
            number,
            findable(agent.key),
            findable(agent.name),
            findable(agent.email),
            micros(hold.since),
            _optional_micros(hold.until),
            hold.how,
        )


def _queue_intervals(stream: str, state: Conversation) -> Iterator[QueueIntervalRow]:
    stays = state.queue_history
    ends = [*(micros(stay.since) for stay in stays[1:]), None]
    for number, (stay, until) in enumerate(zip(stays, ends, strict=False), start=1):
        if stay.queue is not None:
            key, name = findable(stay.queue.key), findable(stay.queue.name)
            yield QueueIntervalRow(stream, number, key, name, micros(stay.since), until)


def _queue_visits(stream: str, state: Conversation) -> Iterator[QueueVisitRow]:
    for number, visit in enumerate(state.visits, start=1):
        ended = visit.left_at
        yield QueueVisitRow(
            stream=stream,
            number=number,
            queue_id=findable(visit.queue.key) if visit.queue else None,
            queue_name=findable(visit.queue.name) if visit.queue else None,
            enqueued_at=micros(visit.enqueued_at),
            left_at=_optional_micros(ended),
            outcome=visit.outcome,
            wait=(ended - visit.enqueued_at).total_seconds() if ended else None,
        )


def _tags(stream: str, state: Conversation) -> Iterator[TagRow]:
    for number, (tag, since, until) in enumerate(_tag_intervals(state), start=1):
        key = findable(state.tag_ids.get(tag))
        yield TagRow(stream, number, findable(tag) or "", key, since, until)


def _tag_intervals(state: Conversation) -> Iterator[tuple[str, int, int | None]]:
    since: dict[str, int] = {}
    for change in state.tag_history:
        at = micros(change.at)
        if change.added:
            since[change.tag] = at
        elif change.tag in since:
            yield change.tag, since.pop(change.tag), at
    yield from ((tag, began, None) for tag, began in sorted(since.items()))


def _attributes(stream: str, state: Conversation) -> Iterator[AttributeRow]:
    found = sorted(
        (name, text)
        for name, value in state.custom_attributes.items()
        for item in (value if isinstance(value, list) else [value])
        if (text := attribute_text(item))
    )
    for number, (name, text) in enumerate(found, start=1):
        key = findable(state.attribute_ids.get(name))
        yield AttributeRow(stream, number, findable(name) or "", key, findable(text) or "")


def _sla_evaluations(stream: str, state: Conversation) -> Iterator[SlaEvaluationRow]:
    queue, agent = state.queue, state.assignee
    for number, evaluation in enumerate(state.sla, start=1):
        yield SlaEvaluationRow(
            stream=stream,
            number=number,
            organization_id=storable(state.organization_id),
            csid=state.csid,
            evaluation_id=storable(evaluation.id),
            policy=storable(evaluation.policy),
            metric=storable(evaluation.metric),
            status=evaluation.status,
            deadline=_optional_micros(evaluation.deadline),
            since=micros(evaluation.since),
            began_at=micros(evaluation.history[0].at),
            channel=findable(state.channel),
            queue_id=findable(queue.key) if queue else None,
            queue_name=findable(queue.name) if queue else None,
            assignee_id=findable(agent.key) if agent else None,
            assignee_name=findable(agent.name) if agent else None,
        )


def _ratings(stream: str, state: Conversation) -> Iterator[RatingRow]:
    for number, rating in enumerate(state.ratings, start=1):
        agent = rating.agent
        yield RatingRow(
            stream=stream,
            number=number,
            organization_id=storable(state.organization_id),
            csid=state.csid,
            type=storable(rating.type),
            score=rating.score,
            comment=storable(rating.comment),
            agent_id=storable(agent.key) if agent else None,
            agent_name=storable(agent.name) if agent else None,
            rated_at=micros(rating.rated_at),
        )


def _texts(state: Conversation) -> Sequence[str | None]:
    requester: Any = state.requester
    return (
        str(state.csid),
        state.subject,
        *((requester.name, requester.email, requester.phone) if requester else ()),
    )


def _words(stream: str, state: Conversation) -> Iterator[Row]:
    for word in sorted(words(_texts(state))):
        yield WordRow(word, stream)


_PARTS: tuple[tuple[Callable[[str, Conversation], Iterator[Row]], tuple[str, ...]], ...] = (
    (_transitions, ("life",)),
    (_assignments, ("assignments",)),
    (_queue_intervals, ("queue_history",)),
    (_queue_visits, ("visits",)),
    (_tags, ("tag_history", "tag_ids")),
    (_attributes, ("custom_attributes", "attribute_ids")),
    (_sla_evaluations, ("sla", "channel", "queue", "assignee")),
    (_ratings, ("ratings",)),
    (_words, ("subject", "requester")),
)
"""The function that makes the rows of each table, and the fields that they depend on."""


def _ban(stream: str, state: Ban) -> BanRow:
    return BanRow(
        stream=stream,
        kind=state.kind,
        organization_id=storable(state.organization_id),
        subject=findable(state.id) or "",
        banned=state.banned,
        position=state.position,
        state=encode(state),
    )
