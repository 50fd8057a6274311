"""The rows of a state: a pure function, so that live rows and rebuilt ones are equal."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from operator import attrgetter

from dixa_state.dixa.fields import spelling
from dixa_state.domain import histories, sla
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.lifecycle import ENDED, status_from_dixa
from dixa_state.domain.metrics import (
    first_resolution,
    first_response,
    full_resolution,
    inexact_statuses,
    is_first_close_bound,
    starts_midlife,
)
from dixa_state.domain.sla import Attribution
from dixa_state.domain.states import encode
from dixa_state.views import tables
from dixa_state.views.tables import EPOCH, Row, micros
from dixa_state.views.texts import attribute_text, findable, in_capitals, storable, words

Make = Callable[[str, Conversation, int], Iterator[Row]]
"""Makes the rows of the items of a state, from a place in its history on."""

FirstChange = Callable[[Conversation, Conversation], int | None]
"""Finds the place from which the rows of two states differ, None if none do."""


def has_views(stream: str) -> bool:
    """Return whether a stream has rows in the views."""
    return stream.startswith(("conversation/", "enduser/", "ip/"))


def rows(stream: str, state: Conversation | Ban) -> Iterator[Row]:
    """Yield every row of a state."""
    if isinstance(state, Ban):
        yield _ban(stream, state)
        yield from _chunks(stream, state)
        return
    yield _conversation(stream, state)
    for make, _ in _PARTS:
        yield from make(stream, state, 0)
    yield from _chunks(stream, state)


def changed_rows(
    stream: str, before: Conversation | Ban | None, after: Conversation | Ban
) -> tuple[list[Row], list[Row]]:
    """Return the rows that a change of state deletes, by their keys, and those that it inserts."""
    if before is None or type(before) is not type(after):
        return list(rows(stream, before)) if before else [], list(rows(stream, after))
    old, new = _changed_chunks(stream, before, after)
    if isinstance(before, Conversation) and isinstance(after, Conversation):
        for make, first_change in _PARTS:
            start = first_change(before, after)
            if start is not None:
                old.update(make(stream, before, start))
                new += make(stream, after, start)
    row = _ban(stream, after) if isinstance(after, Ban) else _conversation(stream, after)
    # every event changes the row of the state itself
    return [row, *old.difference(new)], [row, *(one for one in new if one not in old)]


def _changed_chunks(
    stream: str, before: Conversation | Ban, after: Conversation | Ban
) -> tuple[set[Row], list[Row]]:
    old: set[Row] = set()
    new: list[Row] = []
    pairs = zip(histories.get_all(before), histories.get_all(after), strict=True)
    for path, (one, other) in zip(histories.paths(after), pairs, strict=True):
        if one is not other and max(len(one), len(other)) >= 2 * histories.CHUNK:
            same = histories.common_prefix(one, other) // histories.CHUNK
            first = min(same, histories.full_chunks(one), histories.full_chunks(other))
            old.update(_chunks_from(stream, before, path, first))
            new += _chunks_from(stream, after, path, first)
    return old, new


def _chunks(stream: str, state: Conversation | Ban) -> Iterator[tables.HistoryRow]:
    for path in histories.paths(state) if histories.count_chunks(state) else ():
        yield from _chunks_from(stream, state, path, 0)


def _chunks_from(
    stream: str, state: Conversation | Ban, path: str, first: int
) -> Iterator[tables.HistoryRow]:
    history = histories.get(state, path)
    for number in range(first, histories.full_chunks(history)):
        yield tables.HistoryRow(stream, path, number, histories.encode_chunk(path, history, number))


def _optional_micros(time: datetime | None) -> int | None:
    return None if time is None else micros(time)


def _conversation(stream: str, state: Conversation) -> tables.ConversationRow:
    first_event = state.first_event_at or EPOCH
    created = micros(state.created_at or first_event)
    summary, midlife = state.life.summary, starts_midlife(state)
    ended, response = _optional_micros(summary.ended_at), first_response(state)
    inexact = inexact_statuses(state, midlife=midlife)
    first_bound = is_first_close_bound(state, midlife=midlife)
    queue, agent, requester = state.queue, state.assignee, state.requester
    held = state.assignments[-1] if state.assignments else None
    return tables.ConversationRow(
        stream=stream,
        organization_id=storable(state.organization_id),
        csid=state.csid,
        status=state.life.status,
        dixa_status=_foreign_status(state.dixa_status),
        status_since=_optional_micros(state.life.since),
        channel=in_capitals(state.channel),
        direction=in_capitals(state.direction),
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
        waiting_since=_optional_micros(state.waiting_since),
        reopened_at=_optional_micros(summary.reopened_at),
        open_since=_optional_micros(state.open_since),
        deadline=_optional_micros(state.next_deadline),
        asked_at=_optional_micros(response.asked_at if response else None),
        answered_at=_optional_micros(response.answered_at if response else None),
        closed_at=ended,
        duration=_duration(state, created, ended),
        entered_queue=bool(state.visits),
        irregular=summary.irregular,
        inferred=summary.inferred,
        starts_midlife=midlife,
        missed=len(state.life.losses) + len(state.losses),
        first_response=response.seconds if response and not midlife else None,
        first_resolution=None if first_bound else first_resolution(state),
        full_resolution=None if summary.last_closed_bound else full_resolution(state),
        first_response_bound=response is not None and midlife,
        first_resolution_bound=first_bound,
        full_resolution_bound=summary.last_closed_bound,
        inexact=" ".join(sorted(inexact)),
        version=state.version,
        position=state.position,
        chunks=histories.count_chunks(state),
        state=encode(histories.recent(state)),
    )


def _duration(state: Conversation, created: int, ended: int | None) -> float | None:
    if ended is None or state.life.status not in ENDED:
        return None
    return max(ended - created, 0) / 1_000_000


def _foreign_status(text: str | None) -> str | None:
    """Return Dixa's status where it is none of ours, such as `awaitingpending`."""
    return None if status_from_dixa(text) else findable(spelling(text or "") or None)


def _transitions(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    moves = state.life.transitions[start:]
    ends = [*(micros(move.at) for move in moves[1:]), None]
    for move, until in zip(moves, ends, strict=False):
        yield tables.TransitionRow(
            stream=stream,
            sequence=move.sequence,
            organization_id=storable(state.organization_id),
            csid=state.csid,
            before=move.before,
            after=move.after,
            since=micros(move.at),
            until=until,
            irregular=None if move.starts_midlife else move.irregular,
            starts_midlife=move.starts_midlife,
            inferred=move.inferred,
            late=move.late,
            move=encode(move),
        )


def _assignments(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    for number, hold in enumerate(state.assignments[start:], start + 1):
        agent = hold.agent
        yield tables.AssignmentRow(
            stream,
            number,
            findable(agent.key),
            findable(agent.name),
            findable(agent.email),
            micros(hold.since),
            _optional_micros(hold.until),
            hold.how,
            hold.until_inferred,
        )


def _queue_intervals(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    stays = state.queue_history[start:]
    ends = [*(micros(stay.since) for stay in stays[1:]), None]
    for number, (stay, until) in enumerate(zip(stays, ends, strict=False), start + 1):
        if stay.queue is not None:
            key, name = findable(stay.queue.key), findable(stay.queue.name)
            yield tables.QueueIntervalRow(stream, number, key, name, micros(stay.since), until)


def _queue_visits(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    for number, visit in enumerate(state.visits[start:], start + 1):
        yield tables.QueueVisitRow(
            stream=stream,
            number=number,
            queue_id=findable(visit.queue.key) if visit.queue else None,
            queue_name=findable(visit.queue.name) if visit.queue else None,
            enqueued_at=micros(visit.enqueued_at),
            left_at=_optional_micros(visit.left_at),
            outcome=visit.outcome,
            inferred=not visit.is_exact,
            wait=visit.wait if visit.is_exact else None,
        )


def _responses(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    for number, one in enumerate(state.messages.responses[start:], start + 1):
        agent = one.agent
        yield tables.ResponseRow(
            stream=stream,
            number=number,
            asked_at=micros(one.asked_at),
            answered_at=micros(one.answered_at),
            agent_id=findable(agent.key) if agent else None,
            agent_name=findable(agent.name) if agent else None,
        )


def _tags(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    for number, tag, since, until in _tag_intervals(state, start):
        key = findable(state.tag_ids.get(tag))
        yield tables.TagRow(stream, number, findable(tag) or "", key, since, until)


def _tag_intervals(state: Conversation, start: int) -> Iterator[tuple[int, str, int, int | None]]:
    """Yield the intervals of tags, each with the number of the change that it began with."""
    began: dict[str, tuple[int, int]] = {}
    for number, change in enumerate(state.tag_history[start:], start + 1):
        at = micros(change.at)
        if change.added:
            began[change.tag] = number, at
        elif change.tag in began:
            first, since = began.pop(change.tag)
            yield first, change.tag, since, at
    yield from ((first, tag, since, None) for tag, (first, since) in began.items())


def _first_tag_change(before: Conversation, after: Conversation) -> int | None:
    """Return the place of the first change of a tag whose rows may differ."""
    if before.tag_history is after.tag_history and before.tag_ids == after.tag_ids:
        return None
    start = histories.common_prefix(before.tag_history, after.tag_history)
    changed = {change.tag for change in (*before.tag_history[start:], *after.tag_history[start:])}
    renamed = {tag for tag, _ in before.tag_ids.items() ^ after.tag_ids.items()}
    if renamed:
        known = (n for n, change in enumerate(after.tag_history[:start]) if change.tag in renamed)
        start = next(known, start)
    for place in range(start - 1, -1, -1):
        if not changed:
            break
        change = after.tag_history[place]
        if change.tag in changed:  # what comes before it stays as it is
            start = place
            changed.discard(change.tag)
    return start


def _attributes(stream: str, state: Conversation, _start: int) -> Iterator[Row]:
    found = sorted(
        (name, text)
        for name, value in state.custom_attributes.items()
        for item in (value if isinstance(value, list) else [value])
        if (text := attribute_text(item))
    )
    for number, (name, text) in enumerate(found, start=1):
        key = findable(state.attribute_ids.get(name))
        yield tables.AttributeRow(stream, number, findable(name) or "", key, findable(text) or "")


def _sla_evaluations(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    for number, evaluation in enumerate(state.sla[start:], start + 1):
        counted = evaluation.attribution or _current(state)
        queue, agent = counted.queue, counted.assignee
        yield tables.SlaEvaluationRow(
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
            breached_late_at=_optional_micros(evaluation.breached_late_at),
            channel=in_capitals(counted.channel),
            channel_name=storable(counted.channel),
            queue_id=findable(queue.key) if queue else None,
            queue_name=findable(queue.name) if queue else None,
            assignee_id=findable(agent.key) if agent else None,
            assignee_name=findable(agent.name) if agent else None,
        )


def _sla_tags(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    for number, evaluation in enumerate(state.sla[start:], start + 1):
        counted = evaluation.attribution or _current(state)
        for tag in sorted({findable(tag) or "" for tag in counted.tags}):
            yield tables.SlaTagRow(stream, number, tag)


def _first_sla_change(before: Conversation, after: Conversation) -> int | None:
    """Return the place of the first evaluation whose rows may differ.

    Those without an outcome count for who has the conversation now.
    """
    start = histories.common_prefix(before.sla, after.sla)
    if _current(before) != _current(after):
        pending = (n for n, one in enumerate(after.sla[:start]) if one.attribution is None)
        start = next(pending, start)
    return None if start == len(before.sla) == len(after.sla) else start


def _current(state: Conversation) -> Attribution:
    return Attribution(state.queue, state.assignee, state.channel, state.tags)


def _missed(
    history: str, first: int, stream: str, state: Conversation, start: int
) -> Iterator[Row]:
    """Yield the losses of a history; `first` is 1 or 2.

    Two histories share the table: those of the status have odd numbers, those of the fields even
    ones, so that one more renumbers none of the other.
    """
    for place, loss in enumerate(histories.get(state, history)[start:], start):
        yield tables.MissedRow(
            stream=stream,
            number=2 * place + first,
            organization_id=storable(state.organization_id),
            csid=state.csid,
            proof=loss.proof,
            field=loss.field,
            detail=storable(loss.detail),
            event_id=storable(loss.event_id) or "",
            topic=loss.topic,
            after=micros(loss.after),
            at=micros(loss.at),
        )


def _ratings(stream: str, state: Conversation, start: int) -> Iterator[Row]:
    for number, rating in enumerate(state.ratings[start:], start + 1):
        agent = rating.agent
        yield tables.RatingRow(
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


def _words(stream: str, state: Conversation, _start: int) -> Iterator[Row]:
    known = state.requester
    texts = (known.name, known.email, known.phone) if known else ()
    for word in sorted(words([str(state.csid), state.subject, *texts])):
        yield tables.WordRow(word, stream)


def _in_history(path: str) -> FirstChange:
    """Return what finds the first item of a history whose row differs."""

    def first_change(before: Conversation, after: Conversation) -> int | None:
        one, other = histories.get(before, path), histories.get(after, path)
        if one is other:
            return None
        # the row of the item before holds when the next one began
        return max(histories.common_prefix(one, other) - 1, 0)

    return first_change


def _in_fields(*names: str) -> FirstChange:
    """Return what makes all rows anew where one of the fields differs."""
    values = attrgetter(*names)
    return lambda before, after: None if values(before) == values(after) else 0


_PARTS: tuple[tuple[Make, FirstChange], ...] = (
    (_transitions, _in_history("life.transitions")),
    (_assignments, _in_history("assignments")),
    (_queue_intervals, _in_history("queue_history")),
    (_queue_visits, _in_history("visits")),
    (_responses, _in_history("messages.responses")),
    (_tags, _first_tag_change),
    (_attributes, _in_fields("custom_attributes", "attribute_ids")),
    (_sla_evaluations, _first_sla_change),
    (_sla_tags, _first_sla_change),
    (_ratings, _in_history("ratings")),
    (partial(_missed, "life.losses", 1), _in_history("life.losses")),
    (partial(_missed, "losses", 2), _in_history("losses")),
    (_words, _in_fields("subject", "requester")),
)
"""How the rows of each table are made, and from which on those of two states differ."""


def _ban(stream: str, state: Ban) -> tables.BanRow:
    return tables.BanRow(
        stream=stream,
        kind=state.kind,
        organization_id=storable(state.organization_id),
        subject=findable(state.id) or "",
        banned=state.banned,
        position=state.position,
        chunks=histories.count_chunks(state),
        state=encode(histories.recent(state)),
    )
