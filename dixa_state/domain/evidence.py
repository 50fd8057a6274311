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
from dixa_state.domain.events import Created, Event, Field, Snapshot, same

GRACE = timedelta(seconds=10)
"""How much later than the last word on a field a snapshot must be to be believed against it."""


def describe(state: Conversation, shown: Snapshot) -> Conversation:
    """Take over what no event is about, so that the newest snapshot is all there is to go by."""
    return replace(
        state,
        dixa_status=shown.status or state.dixa_status,
        channel=shown.channel or state.channel,
        direction=shown.direction or state.direction,
        contact_point=shown.contact_point or state.contact_point,
        created_at=shown.created_at or state.created_at,
        tag_ids=_learned(state.tag_ids, shown.tag_ids),
        attribute_ids=_learned(state.attribute_ids, shown.attribute_ids),
    )


def _learned(known: dict[str, str], shown: dict[str, str]) -> dict[str, str]:
    return known if shown.items() <= known.items() else known | shown


def observe(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    """Follow the snapshot in each field that the event is not about, where it may be believed."""
    for field, follow in _FIELDS.items():
        if field not in event.fact.about:
            state = follow(state, event, shown, grace)
    return state


def _credible(at: datetime, last_word: datetime | None, grace: timedelta) -> bool:
    return last_word is None or at - last_word > grace


def _status(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    status = lifecycle.status_from_dixa(shown.status)
    if status is None or status == state.life.status:
        return state
    if not _credible(event.at, state.life.told_at, grace):
        return state
    return live_on(state, event, lifecycle.observe(state.life, event, status))


def _requester(
    state: Conversation, event: Event, shown: Snapshot, grace: timedelta
) -> Conversation:
    requester = shown.requester
    if requester is None or (requester == state.requester and state.told.requester):
        return state
    if same(requester, state.requester):
        return replace(state, requester=requester)
    if not _credible(event.at, state.told.requester, grace):
        return state
    return belong_to(state, event, requester)


def _queue(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    if shown.queue is UNSET or (shown.queue == state.queue and state.told.queue):
        return state
    if shown.queue is not None and same(shown.queue, state.queue):
        return replace(state, queue=shown.queue)
    if not _credible(event.at, state.told.queue, grace):
        return state
    return put_in_queue(state, event, shown.queue)


def _assignee(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    agent = shown.assignee
    if agent is UNSET or (agent == state.assignee and state.told.assignee):
        return state
    if agent is not None and same(agent, state.assignee):
        return replace(state, assignee=agent)
    if not _credible(event.at, state.told.assignee, grace):
        return state
    how: How = "assigned" if isinstance(event.fact, Created) else "inferred"
    return assign_to(state, event, agent, how, grace)


def _subject(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    if shown.subject is None or shown.subject == state.subject:
        return state
    if not _credible(event.at, state.told.subject, grace):
        return state
    return replace(state, subject=shown.subject, told=replace(state.told, subject=event.at))


def _tags(state: Conversation, event: Event, shown: Snapshot, grace: timedelta) -> Conversation:
    if shown.tags is None or (shown.tags == state.tags and state.told.tags):
        return state
    if not _credible(event.at, state.told.tags, grace):
        return state
    return set_tags(state, event, shown.tags, inferred=not isinstance(event.fact, Created))


def _attributes(
    state: Conversation, event: Event, shown: Snapshot, grace: timedelta
) -> Conversation:
    attributes = shown.custom_attributes
    if attributes is None or attributes == state.custom_attributes:
        return state
    if not _credible(event.at, state.told.custom_attributes, grace):
        return state
    return set_attributes(state, event, attributes)


_FIELDS: dict[Field, Callable[[Conversation, Event, Snapshot, timedelta], Conversation]] = {
    "status": _status,
    "requester": _requester,
    "queue": _queue,
    "assignee": _assignee,
    "subject": _subject,
    "tags": _tags,
    "custom_attributes": _attributes,
}
