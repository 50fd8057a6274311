"""Snapshot evidence: what the conversation in a body says of fields that its event is not about.

An event about a field is the authority on it. A snapshot that disagrees is believed only if it is
later than the last report on that field by more than a grace, since a snapshot can be a moment
stale; or if its value is one that the field never had, which no stale snapshot can contain. Then a
webhook was missed, and the state follows the snapshot. Such an inferred change counts as a report
on the field, so that a stale snapshot right after it does not undo it.

A snapshot can be a moment ahead as well: where the event itself follows within the grace, nothing
was missed, and the event takes the place of the inference.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from dixa_state.domain import lifecycle
from dixa_state.domain.assignment import How
from dixa_state.domain.conversation import (
    NOBODY,
    Conversation,
    infer_life,
    infer_tag,
    set_assignee,
    set_attributes,
    set_queue,
    set_requester,
)
from dixa_state.domain.events import Created, Event, Field, Queue, Snapshot, same
from dixa_state.domain.lifecycle import ENDED
from dixa_state.domain.losses import prove_loss
from dixa_state.domain.queueing import Visits, enter_queue, leave_queue

GRACE = timedelta(seconds=10)
"""How much later than the last report on a field a snapshot must be to be believed against it."""


def undisputed_fields(state: Conversation, snapshot: Snapshot) -> dict[str, Any]:
    """Return the fields that no event is about, for which the newest snapshot is all there is."""
    return {
        "dixa_status": snapshot.status or state.dixa_status,
        "channel": snapshot.channel or state.channel,
        "direction": snapshot.direction or state.direction,
        "contact_point": snapshot.contact_point or state.contact_point,
        "created_at": snapshot.created_at or state.created_at,
        "tag_ids": _merged_ids(state.tag_ids, snapshot.tag_ids),
        "attribute_ids": _merged_ids(state.attribute_ids, snapshot.attribute_ids),
    }


def _merged_ids(known: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    # most snapshots repeat the ids of the one before: then nothing is copied
    return known if not new or new.items() <= known.items() else known | new


def apply_snapshot(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    """Apply the snapshot to each field that the event is not about, where it is credible."""
    for field in _differing(state, snapshot):
        if field not in event.fact.about:
            state = _APPLY[field](state, event, snapshot, grace)
    return state


def _differing(state: Conversation, snapshot: Snapshot) -> list[Field]:
    """List the fields in which the snapshot differs from the state."""
    reported = state.last_reported
    differing: list[Field] = []
    status = lifecycle.status_from_dixa(snapshot.status)
    if status is not None and status != state.life.status:
        differing.append("status")
    requester = snapshot.requester
    if requester is not None and not (reported.requester and requester == state.requester):
        differing.append("requester")
    if snapshot.queue is not UNSET and not (reported.queue and snapshot.queue == state.queue):
        differing.append("queue")
    if snapshot.assignee is not UNSET and not (
        reported.assignee and snapshot.assignee == state.assignee
    ):
        differing.append("assignee")
    if snapshot.subject is not None and snapshot.subject != state.subject:
        differing.append("subject")
    if snapshot.tags is not None and not (reported.all_tags and snapshot.tags == state.tags):
        differing.append("tags")
    attributes = snapshot.custom_attributes
    if attributes is not None and not (
        reported.custom_attributes and attributes == state.custom_attributes
    ):
        differing.append("custom_attributes")
    return differing


def _is_credible(
    event: Event, reported_at: datetime | None, grace: timedelta, value: str, past: frozenset[str]
) -> bool:
    return reported_at is None or event.at - reported_at > grace or value not in past


def _with_loss(
    state: Conversation, event: Event, field: Field, reported_at: datetime | None
) -> Conversation:
    """Record that the event about this field was lost; none is sent of what a creation shows."""
    if isinstance(event.fact, Created):
        return state
    return replace(state, losses=state.losses + prove_loss(event, "inferred", field, reported_at))


def _status(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    status = lifecycle.status_from_dixa(snapshot.status)
    if status is None:
        return state
    life = lifecycle.infer_status(state.life, event, status, grace)
    return state if life is state.life else infer_life(state, event, life)


def _requester(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    requester, reported_at = snapshot.requester, state.last_reported.requester
    if same(requester, state.requester):
        return replace(state, requester=requester)
    key = (requester and requester.key) or NOBODY
    if not _is_credible(event, reported_at, grace, key, state.past_values.requester):
        return state
    state = _with_loss(state, event, "requester", reported_at)
    return set_requester(state, event, requester, grace)


def _queue(state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta) -> Conversation:
    queue = snapshot.queue or None
    reported_at = state.last_reported.queue
    if queue is not None and same(queue, state.queue):
        return replace(state, queue=queue)
    key = (queue and queue.key) or NOBODY
    if not _is_credible(event, reported_at, grace, key, state.past_values.queue):
        return state
    state = _with_loss(state, event, "queue", reported_at)
    visits = _inferred_visits(state, event, snapshot, queue, grace)
    return replace(set_queue(state, event, queue, grace, inferred=True), visits=visits)


def _inferred_visits(
    state: Conversation, event: Event, snapshot: Snapshot, queue: Queue | None, grace: timedelta
) -> Visits:
    """Return the visits after a snapshot showed this queue: none known before, so a new one."""
    if queue is None:
        return leave_queue(state.visits, event.at, "unknown")
    if isinstance(event.fact, Created):
        if snapshot.assignee:  # an agent began it, and nobody waited
            return state.visits
        return enter_queue(state.visits, queue, event.at, "created", grace)
    visits = enter_queue(state.visits, queue, event.at, "inferred", grace)
    if state.assignee is not None or state.life.status in ENDED:
        return leave_queue(visits, event.at, "unknown")
    return visits


def _assignee(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    agent, reported_at = snapshot.assignee or None, state.last_reported.assignee
    if agent is not None and same(agent, state.assignee):
        return replace(state, assignee=agent)
    key = (agent and agent.key) or NOBODY
    if not _is_credible(event, reported_at, grace, key, state.past_values.assignee):
        return state
    state = _with_loss(state, event, "assignee", reported_at)
    how: How = "assigned" if isinstance(event.fact, Created) else "inferred"
    return set_assignee(state, event, agent, how, grace)


def _subject(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    subject, past = snapshot.subject or "", state.past_values
    reported = state.last_reported
    if not _is_credible(event, reported.subject, grace, subject, past.subject):
        return state
    return replace(
        state,
        subject=subject,
        last_reported=replace(reported, subject=event.at),
        past_values=replace(past, subject=past.subject | {subject}),
    )


def _tags(state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta) -> Conversation:
    """Apply the tags in the snapshot, each judged by the last report on it."""
    reported = state.last_reported
    for tag in sorted((snapshot.tags or frozenset()) ^ state.tags):
        reported_at = reported.tags.get(tag)
        # none where the conversation never had the tag: no stale snapshot can contain it
        if reported_at is None or event.at - reported_at > grace:
            state = infer_tag(state, event, tag, inferred=not isinstance(event.fact, Created))
    all_tags = reported.all_tags or event.at
    return replace(state, last_reported=replace(state.last_reported, all_tags=all_tags))


def _attributes(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    attributes, known = snapshot.custom_attributes or {}, state.custom_attributes
    reported_at = state.last_reported.custom_attributes
    if known and reported_at is not None and event.at - reported_at <= grace:
        return state
    if _given(attributes) != _given(known):  # an attribute without a value is as good as absent
        state = _with_loss(state, event, "custom_attributes", reported_at)
    return set_attributes(state, event, attributes, grace)


def _given(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


_APPLY: dict[Field, Callable[[Conversation, Event, Snapshot, timedelta], Conversation]] = {
    "status": _status,
    "requester": _requester,
    "queue": _queue,
    "assignee": _assignee,
    "subject": _subject,
    "tags": _tags,
    "custom_attributes": _attributes,
}
