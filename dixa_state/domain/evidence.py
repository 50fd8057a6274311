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

from dixa_state.domain import lifecycle
from dixa_state.domain.assignment import How
from dixa_state.domain.conversation import (
    Draft,
    TagChange,
    change_tag,
    past_key,
    set_assignee,
    set_attributes,
    set_queue,
    set_requester,
)
from dixa_state.domain.events import Created, Event, Field, Queue, Snapshot, User, is_later, same
from dixa_state.domain.lifecycle import ENDED
from dixa_state.domain.losses import prove_loss
from dixa_state.domain.queueing import Visits, enter_queue, leave_queue

GRACE = timedelta(seconds=10)
"""How much later than the last report on a field a snapshot must be to be believed against it."""


def apply_snapshot(draft: Draft, event: Event, snapshot: Snapshot) -> None:
    """Apply the snapshot to each field that the event is not about, where it is credible."""
    _set_undisputed(draft, snapshot)
    differing = _differing(draft, snapshot)
    draft.agreed = None if differing else snapshot
    for field in differing:
        if field not in event.fact.about:
            _APPLY[field](draft, event, snapshot)


def _set_undisputed(draft: Draft, snapshot: Snapshot) -> None:
    """Set the fields that no event is about, for which the newest snapshot is all there is."""
    draft.dixa_status = snapshot.status or draft.dixa_status
    draft.channel = snapshot.channel or draft.channel
    draft.direction = snapshot.direction or draft.direction
    draft.contact_point = snapshot.contact_point or draft.contact_point
    draft.created_at = snapshot.created_at or draft.created_at
    draft.tag_ids = _merged_ids(draft.tag_ids, snapshot.tag_ids)
    draft.attribute_ids = _merged_ids(draft.attribute_ids, snapshot.attribute_ids)


def _merged_ids(known: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    # most snapshots repeat the ids of the one before: then nothing is copied
    return known if not new or new.items() <= known.items() else known | new


def _differing(state: Draft, snapshot: Snapshot) -> list[Field]:
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


def _believe(draft: Draft, event: Event, field: Field, value: User | Queue | None) -> bool:
    """Return whether a value that is not the state's is credible, and prove the loss if it is."""
    reported_at: datetime | None = getattr(draft.last_reported, field)
    later = is_later(event, reported_at, draft.grace)
    if not later and past_key(value) in getattr(draft.past_values, field):
        return False
    _prove_loss(draft, event, field, reported_at)
    return True


def _prove_loss(
    draft: Draft, event: Event, field: Field, after: datetime | None, tag: str | None = None
) -> None:
    """Record that the event about this field was lost; none is sent of what a creation shows."""
    if not isinstance(event.fact, Created):
        draft.losses += prove_loss(event, "inferred", field, after, tag)


def _status(draft: Draft, event: Event, snapshot: Snapshot) -> None:
    status = lifecycle.status_from_dixa(snapshot.status)
    if status is None:
        return
    life = lifecycle.infer_status(draft.life, event, status, draft.grace)
    if life is not draft.life and life.status in ENDED:
        draft.visits = leave_queue(draft.visits, event.at, "closed", inferred=True)
    draft.life = life


def _requester(draft: Draft, event: Event, snapshot: Snapshot) -> None:
    requester = snapshot.requester
    if same(requester, draft.requester):
        draft.requester = requester
    elif _believe(draft, event, "requester", requester):
        set_requester(draft, event, requester)


def _queue(draft: Draft, event: Event, snapshot: Snapshot) -> None:
    queue = snapshot.queue or None
    if queue is not None and same(queue, draft.queue):
        draft.queue = queue
    elif _believe(draft, event, "queue", queue):
        draft.visits = _inferred_visits(draft, event, snapshot, queue)
        set_queue(draft, event, queue, inferred=True)


def _inferred_visits(state: Draft, event: Event, snapshot: Snapshot, queue: Queue | None) -> Visits:
    """Return the visits after a snapshot showed this queue: none known before, so a new one."""
    if queue is None:
        return leave_queue(state.visits, event.at, "unknown")
    if isinstance(event.fact, Created):
        if snapshot.assignee:  # an agent began it, and nobody waited
            return state.visits
        return enter_queue(state.visits, queue, event.at, "created", state.grace)
    visits = enter_queue(state.visits, queue, event.at, "inferred", state.grace)
    if state.assignee is not None or state.life.status in ENDED:
        return leave_queue(visits, event.at, "unknown")
    return visits


def _assignee(draft: Draft, event: Event, snapshot: Snapshot) -> None:
    agent = snapshot.assignee or None
    if agent is not None and same(agent, draft.assignee):
        draft.assignee = agent
    elif _believe(draft, event, "assignee", agent):
        how: How = "assigned" if isinstance(event.fact, Created) else "inferred"
        set_assignee(draft, event, agent, how)


def _subject(draft: Draft, event: Event, snapshot: Snapshot) -> None:
    subject, reported_at = snapshot.subject or "", draft.last_reported.subject
    if subject not in draft.past_values.subject or is_later(event, reported_at, draft.grace):
        draft.subject = subject
        draft.report(subject=event.at)
        draft.remember("subject", subject)


def _tags(draft: Draft, event: Event, snapshot: Snapshot) -> None:
    """Apply the tags in the snapshot, each judged by the last report on it."""
    reported, inferred = draft.last_reported, not isinstance(event.fact, Created)
    for tag in sorted((snapshot.tags or frozenset()) ^ draft.tags):
        reported_at = reported.tags.get(tag)
        # none where the conversation never had the tag: no stale snapshot can contain it
        if is_later(event, reported_at, draft.grace):
            _prove_loss(draft, event, "tags", reported_at or reported.all_tags, tag)
            added = tag not in draft.tags
            change_tag(draft, TagChange(tag, added, event.at, event.event_id, inferred))
    draft.report(all_tags=reported.all_tags or event.at)


def _attributes(draft: Draft, event: Event, snapshot: Snapshot) -> None:
    attributes, known = snapshot.custom_attributes or {}, draft.custom_attributes
    reported_at = draft.last_reported.custom_attributes
    if known and not is_later(event, reported_at, draft.grace):
        return
    if _given(attributes) != _given(known):  # an attribute without a value is as good as absent
        _prove_loss(draft, event, "custom_attributes", reported_at)
    set_attributes(draft, event, attributes)


def _given(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


_APPLY: dict[Field, Callable[[Draft, Event, Snapshot], None]] = {
    "status": _status,
    "requester": _requester,
    "queue": _queue,
    "assignee": _assignee,
    "subject": _subject,
    "tags": _tags,
    "custom_attributes": _attributes,
}
