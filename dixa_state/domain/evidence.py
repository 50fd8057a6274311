"""Snapshot evidence: what the conversation in a body says of fields that its event is not about.

An event about a field is the authority on it. A snapshot that disagrees is believed only if it is
later than the last report on that field by more than a grace, since a snapshot can be a moment
stale. Then a webhook was missed, and the state follows the snapshot. Such an inferred change counts
as a report on the field, so that a stale snapshot right after it does not undo it.

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
    Conversation,
    set_assignee,
    set_attributes,
    set_queue,
    set_requester,
    set_tags,
    with_lifecycle,
)
from dixa_state.domain.events import Created, Event, Field, Queue, Snapshot, User, same

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
    if snapshot.tags is not None and not (reported.tags and snapshot.tags == state.tags):
        differing.append("tags")
    attributes = snapshot.custom_attributes
    if attributes is not None and attributes != state.custom_attributes:
        differing.append("custom_attributes")
    return differing


def _is_credible(at: datetime, reported_at: datetime | None, grace: timedelta) -> bool:
    return reported_at is None or at - reported_at > grace


def _status(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    status = lifecycle.status_from_dixa(snapshot.status)
    if status is None or not _is_credible(event.at, state.life.reported_at, grace):
        return state
    return with_lifecycle(state, event, lifecycle.infer_status(state.life, event, status))


def _requester(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    requester = snapshot.requester
    if same(requester, state.requester):
        return replace(state, requester=requester)
    if not _is_credible(event.at, state.last_reported.requester, grace):
        return state
    return set_requester(state, event, requester)


def _queue(state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta) -> Conversation:
    if isinstance(snapshot.queue, Queue) and same(snapshot.queue, state.queue):
        return replace(state, queue=snapshot.queue)
    if not _is_credible(event.at, state.last_reported.queue, grace):
        return state
    return set_queue(state, event, snapshot.queue)


def _assignee(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    agent = snapshot.assignee
    if isinstance(agent, User) and same(agent, state.assignee):
        return replace(state, assignee=agent)
    if not _is_credible(event.at, state.last_reported.assignee, grace):
        return state
    how: How = "assigned" if isinstance(event.fact, Created) else "inferred"
    return set_assignee(state, event, agent, how, grace)


def _subject(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    if not _is_credible(event.at, state.last_reported.subject, grace):
        return state
    return replace(
        state,
        subject=snapshot.subject,
        last_reported=replace(state.last_reported, subject=event.at),
    )


def _tags(state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta) -> Conversation:
    if snapshot.tags is None or not _is_credible(event.at, state.last_reported.tags, grace):
        return state
    return set_tags(state, event, snapshot.tags, inferred=not isinstance(event.fact, Created))


def _attributes(
    state: Conversation, event: Event, snapshot: Snapshot, grace: timedelta
) -> Conversation:
    attributes = snapshot.custom_attributes
    if attributes is None or not _is_credible(
        event.at, state.last_reported.custom_attributes, grace
    ):
        return state
    return set_attributes(state, event, attributes)


_APPLY: dict[Field, Callable[[Conversation, Event, Snapshot, timedelta], Conversation]] = {
    "status": _status,
    "requester": _requester,
    "queue": _queue,
    "assignee": _assignee,
    "subject": _subject,
    "tags": _tags,
    "custom_attributes": _attributes,
}
