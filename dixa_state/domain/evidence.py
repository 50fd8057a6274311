"""Snapshots as evidence: what a body shows of the conversation besides what its event tells.

An event about a field is the authority on it. A snapshot that disagrees is believed only if it is
later than the last word on that field by more than a grace, since a snapshot can be a moment stale.
Then a webhook was missed, and the state follows the snapshot. Such a correction counts as a word on
the field, so that a stale snapshot right after it does not undo it.

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
    assign_to,
    belong_to,
    live_on,
    put_in_queue,
    set_attributes,
    set_tags,
)
from dixa_state.domain.events import Created, Event, Field, Queue, Snapshot, User, same

GRACE = timedelta(seconds=10)
"""How much later than the last word on a field a snapshot must be to be believed against it."""


def describe(state: Conversation, shown: Snapshot) -> dict[str, Any]:
    """Give the fields that no event is about, for which the newest snapshot is all there is."""
    return {
        "dixa_status": shown.status or state.dixa_status,
        "channel": shown.channel or state.channel,
        "direction": shown.direction or state.direction,
        "contact_point": shown.contact_point or state.contact_point,
        "created_at": shown.created_at or state.created_at,
        "tag_ids": _learned(state.tag_ids, shown.tag_ids),
        "attribute_ids": _learned(state.attribute_ids, shown.attribute_ids),
    }


def _learned(known: dict[str, str], shown: dict[str, str]) -> dict[str, str]:
    return known if not shown or shown.items() <= known.items() else known | shown


def observe(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    """Follow the snapshot in each field that the event is not about, where it may be believed."""
    for field in _unlike(state, shown):
        if field not in event.fact.about:
            state = _FOLLOW[field](state, event, shown, grace)
    return state


def _unlike(state: Conversation, shown: Snapshot) -> list[Field]:
    """List the fields that the snapshot shows, and not as they are known."""
    told = state.told
    unlike: list[Field] = []
    status = lifecycle.status_from_dixa(shown.status)
    if status is not None and status != state.life.status:
        unlike.append("status")
    requester = shown.requester
    if requester is not None and not (told.requester and requester == state.requester):
        unlike.append("requester")
    if shown.queue is not UNSET and not (told.queue and shown.queue == state.queue):
        unlike.append("queue")
    if shown.assignee is not UNSET and not (told.assignee and shown.assignee == state.assignee):
        unlike.append("assignee")
    if shown.subject is not None and shown.subject != state.subject:
        unlike.append("subject")
    if shown.tags is not None and not (told.tags and shown.tags == state.tags):
        unlike.append("tags")
    attributes = shown.custom_attributes
    if attributes is not None and attributes != state.custom_attributes:
        unlike.append("custom_attributes")
    return unlike


def _credible(at: datetime, last_word: datetime | None, grace: timedelta) -> bool:
    return last_word is None or at - last_word > grace


def _status(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    status = lifecycle.status_from_dixa(shown.status)
    if status is None or not _credible(event.at, state.life.told_at, grace):
        return state
    return live_on(state, event, lifecycle.observe(state.life, event, status))


def _requester(
    state: Conversation, event: Event, shown: Snapshot, grace: timedelta
) -> Conversation:
    requester = shown.requester
    if same(requester, state.requester):
        return replace(state, requester=requester)
    if not _credible(event.at, state.told.requester, grace):
        return state
    return belong_to(state, event, requester)


def _queue(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    if isinstance(shown.queue, Queue) and same(shown.queue, state.queue):
        return replace(state, queue=shown.queue)
    if not _credible(event.at, state.told.queue, grace):
        return state
    return put_in_queue(state, event, shown.queue)


def _assignee(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    agent = shown.assignee
    if isinstance(agent, User) and same(agent, state.assignee):
        return replace(state, assignee=agent)
    if not _credible(event.at, state.told.assignee, grace):
        return state
    how: How = "assigned" if isinstance(event.fact, Created) else "inferred"
    return assign_to(state, event, agent, how, grace)


def _subject(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    if not _credible(event.at, state.told.subject, grace):
        return state
    return replace(state, subject=shown.subject, told=replace(state.told, subject=event.at))


def _tags(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    if shown.tags is None or not _credible(event.at, state.told.tags, grace):
        return state
    return set_tags(state, event, shown.tags, inferred=not isinstance(event.fact, Created))


def _attributes(
    state: Conversation, event: Event, shown: Snapshot, grace: timedelta
) -> Conversation:
    attributes = shown.custom_attributes
    if attributes is None or not _credible(event.at, state.told.custom_attributes, grace):
        return state
    return set_attributes(state, event, attributes)


_FOLLOW: dict[Field, Callable[[Conversation, Event, Snapshot, timedelta], Conversation]] = {
    "status": _status,
    "requester": _requester,
    "queue": _queue,
    "assignee": _assignee,
    "subject": _subject,
    "tags": _tags,
    "custom_attributes": _attributes,
}
