"""The JSON that users and programs rely on: the contract's objects, made from domain values.

Times are RFC 3339 in UTC with `Z`, durations seconds, ids strings, `csid` an integer. A field with
no value is null, never absent.
"""

from datetime import datetime
from typing import Any, cast

from msgspec import to_builtins

from dixa_state.domain import sla
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.events import Event, Queue, SlaStatus, Unrecognised, User
from dixa_state.domain.lifecycle import Transition
from dixa_state.domain.metrics import closed_at, durations, responses
from dixa_state.domain.ratings import Rating
from dixa_state.domain.sla import SlaEvaluation
from dixa_state.domain.timestamps import format_time
from dixa_state.fold import Step
from dixa_state.questions import Day, EndUser, Share, Stats, shapes
from dixa_state.store.append import Outcome
from dixa_state.store.recorder import Quarantined
from dixa_state.tracker import StoredBody
from dixa_state.views.tables import SlaEvaluationRow, from_micros

Document = dict[str, Any]


def status_document(
    state: Conversation,
    *,
    now: datetime,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> shapes.Conversation:
    """Tell the state of a conversation; intervals that still run are counted to `as_of` or now."""
    holding = state.assignments[-1] if state.assignments and state.assignee else None
    waiting = state.visits[-1] if state.visits and state.queue else None
    return {
        "organization_id": state.organization_id,
        "csid": state.csid,
        "status": state.life.status,
        "status_since": _time(state.life.since),
        "dixa_status": state.dixa_status,
        "channel": state.channel,
        "direction": state.direction,
        "subject": state.subject,
        "contact_point": state.contact_point,
        "created_at": _time(state.created_at),
        "requester": user_document(state.requester),
        "assignee": user_document(state.assignee),
        "assigned_at": _time(holding.since if holding else None),
        "queue": _queue(state.queue),
        "enqueued_at": _time(waiting.enqueued_at if waiting else None),
        "tags": sorted(state.tags),
        "custom_attributes": dict(sorted(state.custom_attributes.items())),
        "sla_status": sla.summarise(state.sla),
        "sla": [_sla(evaluation) for evaluation in state.sla],
        "ratings": [_rating(rating) for rating in state.ratings],
        "counts": _counts(state),
        "times": _times(state),
        "durations": _durations(state, as_of or now),
        "version": state.version,
        "position": state.position,
        "as_of": _time(as_of),
        "known_at": _time(known_at),
    }


def transition_document(
    organization_id: str | None, csid: int, move: Transition
) -> shapes.Transition:
    """Tell one change of status of a conversation."""
    return {
        "organization_id": organization_id,
        "csid": csid,
        "sequence": move.sequence,
        "from": move.before,
        "to": move.after,
        "at": format_time(move.at),
        "received_at": format_time(move.received_at),
        "event_id": move.event_id,
        "event": move.topic,
        "actor": user_document(move.actor),
        "irregular": move.irregular,
        "inferred": move.inferred,
        "late": move.late,
        "seconds_in_previous": move.seconds_in_previous,
    }


def sla_document(row: SlaEvaluationRow) -> shapes.SlaRow:
    """Tell one SLA evaluation of a conversation."""
    return {
        "organization_id": row.organization_id,
        "csid": row.csid,
        "id": row.evaluation_id,
        "policy": row.policy,
        "metric": row.metric,
        "status": cast("SlaStatus", row.status),
        "deadline": _time(from_micros(row.deadline)),
        "since": _time(from_micros(row.since)),
        "began_at": _time(from_micros(row.began_at)),
        "channel": row.channel,
        "queue": row.queue_name or row.queue_id,
        "agent": row.assignee_name or row.assignee_id,
    }


def share_document(by: str | None, share: Share) -> shapes.Share:
    """Tell the share of SLAs kept for one value."""
    return {
        "by": by,
        "value": share.value,
        "achieved": share.achieved,
        "breached": share.breached,
        "pending": share.pending,
        "voided": share.voided,
        "attainment": share.attainment,
    }


def stats_document(stats: Stats) -> shapes.Stats:
    """Tell counts and durations; each duration names the date that put it into its cohort."""
    abandon_rate = stats.abandoned / stats.inbound_queued if stats.inbound_queued else None
    return {
        "position": stats.position,
        "conversations": stats.conversations,
        "transitions": stats.transitions,
        "by_status": _counted(stats.by_status),
        "by_sla_status": _counted(stats.by_sla_status),
        "by_queue": _counted(stats.by_queue),
        "by_assignee": _counted(stats.by_assignee),
        "reopens": stats.reopens,
        "irregular": stats.irregular,
        "inferred": stats.inferred,
        "late": stats.late,
        "abandon_rate": abandon_rate,
        "csat": stats.satisfied / stats.ratings if stats.ratings else None,
        "csat_responses": stats.ratings,
        "durations": {
            measure.name: {
                "cohort": measure.cohort,
                "count": measure.measured,
                "average": measure.average,
                "p50": measure.p50,
                "p90": measure.p90,
            }
            for measure in stats.measures
        },
        "poison": [
            {"position": position, "stream": stream, "event": topic, "error": error}
            for position, stream, topic, error in stats.poison
        ],
    }


def day_document(day: Day) -> shapes.Day:
    """Tell what happened on one day."""
    return {
        "day": day.day.isoformat(),
        "began": day.began,
        "opened": day.opened,
        "pending": day.pending,
        "closed": day.closed,
        "abandoned": day.abandoned,
        "reopens": day.reopens,
    }


def step_document(step: Step) -> shapes.Step:
    """Tell one event of a timeline: what it was, and what it changed."""
    event = step.event
    return {
        "organization_id": step.after.organization_id,
        "csid": step.after.csid,
        "position": event.position,
        "event_id": event.event_id,
        "event": event.topic,
        "fqn": event.fact.fqn if isinstance(event.fact, Unrecognised) else None,
        "at": format_time(event.at),
        "received_at": format_time(event.received_at),
        "late": event.late,
        "inferred": _infers(step),
        "actor": user_document(event.actor),
        "details": _details(event),
        "changes": changes(step.before, step.after),
    }


def changes(before: Conversation, after: Conversation) -> dict[str, shapes.Change]:
    """Compare two states, in the fields that a person follows."""
    old, new = _followed(before), _followed(after)
    return {
        name: {"before": old[name], "after": new[name]} for name in new if old[name] != new[name]
    }


def ban_document(ban: Ban) -> shapes.Ban:
    """Tell whether an end user or an IP address is banned, and what led there."""
    return {
        "organization_id": ban.organization_id,
        "kind": ban.kind,
        "id": ban.id,
        "user": user_document(ban.user),
        "banned": ban.banned,
        "since": _time(ban.since),
        "by": user_document(ban.by),
        "history": [
            {
                "banned": change.banned,
                "at": format_time(change.at),
                "by": user_document(change.by),
                "event_id": change.event_id,
                "received_at": format_time(change.received_at),
                "late": change.late,
            }
            for change in ban.history
        ],
        "version": ban.version,
        "position": ban.position,
    }


def outcome_document(outcome: Outcome) -> shapes.Outcome:
    """Tell what became of a webhook."""
    return {
        "outcome": outcome.kind,
        "event_id": outcome.event_id,
        "position": outcome.position,
        "reason": outcome.reason,
    }


def stored_document(stored: StoredBody) -> shapes.StoredEvent:
    """Tell a stored event: the webhook as it came."""
    webhook = stored.webhook
    return {
        "position": stored.position,
        "version": stored.version,
        "event": stored.topic,
        "received_at": format_time(webhook.received_at),
        "subscription_id": webhook.subscription_id,
        "signature": webhook.signature,
        "body": webhook.body.decode(),
    }


def enduser_document(enduser: EndUser) -> shapes.EndUser:
    """Tell what is known of an end user."""
    ban = enduser.ban
    return {
        "organization_id": enduser.organization_id,
        "id": enduser.id,
        "user": user_document(enduser.user or (ban.user if ban else None)),
        "banned": bool(ban and ban.banned),
        "ban": ban_document(ban) if ban else None,
        "conversations": _counted(enduser.conversations),
        "first_created_at": _time(enduser.first_created_at),
        "last_event_at": _time(enduser.last_event_at),
    }


def quarantined_document(item: Quarantined, *, body: bool = False) -> Document:
    """Tell why a body is in quarantine; with `body`, show it."""
    document: Document = {
        "id": item.id,
        "received_at": _time(item.webhook.received_at),
        "problem": item.problem,
        "reason": item.reason,
        "event_id": item.event_id,
        "bytes": len(item.webhook.body),
        "resolution": item.resolution,
        "resolved_at": _time(item.resolved_at),
    }
    if body:
        document["subscription_id"] = item.webhook.subscription_id
        document["signature"] = item.webhook.signature
        document["body"] = item.webhook.body.decode("utf-8", "backslashreplace")
    return document


def user_document(user: User | None) -> shapes.User | None:
    """Tell who somebody is."""
    if user is None:
        return None
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "phone": user.phone,
        "user_type": user.user_type,
    }


def _infers(step: Step) -> bool:
    """Tell whether something changed that no webhook told of, only the snapshot in this one."""
    before, after = step.before, step.after
    moves = after.life.transitions[len(before.life.transitions) :]
    tags = after.tag_history[len(before.tag_history) :]
    holds = after.assignments[len(before.assignments) :]
    return (
        any(move.inferred for move in moves)
        or any(change.inferred for change in tags)
        or any(hold.how == "inferred" for hold in holds)
    )


def _details(event: Event) -> Document:
    told = to_builtins(event.fact)
    return {name: value for name, value in told.items() if value is not None}


def _counted(counts: dict[str | None, int]) -> dict[str, int]:
    return {"none" if value is None else value: count for value, count in counts.items()}


def _counts(state: Conversation) -> shapes.Counts:
    moves = state.life.transitions
    return {
        "events": state.version,
        "messages_inbound": state.messages.inbound,
        "messages_outbound": state.messages.outbound,
        "notes": state.notes,
        "transfers": state.transfers,
        "reopens": sum(move.is_reopen for move in moves),
        "assignments": len(state.assignments),
        "irregular": sum(move.irregular is not None for move in moves),
        "inferred": sum(move.inferred for move in moves),
        "late": state.late,
        "typing": state.typing,
        "deliveries_failed": state.deliveries_failed,
    }


def _times(state: Conversation) -> shapes.Times:
    answers, closes = responses(state), closed_at(state.life)
    return {
        "first_response_at": _time(answers[0].answered_at if answers else None),
        "first_assigned_at": _time(state.assignments[0].since if state.assignments else None),
        "first_closed_at": _time(closes[0] if closes else None),
        "last_closed_at": _time(closes[-1] if closes else None),
        "last_message_at": _time(state.messages.last_at),
        "last_customer_message_at": _time(state.messages.last_customer_at),
        "last_event_at": _time(state.last_event_at),
    }


def _durations(state: Conversation, at: datetime) -> shapes.Durations:
    measured = durations(state, at)
    return {
        "first_response": measured.first_response,
        "first_resolution": measured.first_resolution,
        "full_resolution": measured.full_resolution,
        "open": measured.in_status["open"],
        "pending": measured.in_status["pending"],
        "closed": measured.in_status["closed"],
        "abandoned": measured.in_status["abandoned"],
        "queue_wait": measured.queue_wait,
        "assigned": measured.assigned,
    }


def _followed(state: Conversation) -> Document:
    return {
        "status": state.life.status,
        "dixa_status": state.dixa_status,
        "requester": user_document(state.requester),
        "assignee": user_document(state.assignee),
        "queue": _queue(state.queue),
        "subject": state.subject,
        "tags": sorted(state.tags),
        "custom_attributes": state.custom_attributes,
        "sla": [_sla(evaluation) for evaluation in state.sla],
        "ratings": [_rating(rating) for rating in state.ratings],
    }


def _sla(evaluation: SlaEvaluation) -> shapes.Sla:
    return {
        "id": evaluation.id,
        "policy": evaluation.policy,
        "metric": evaluation.metric,
        "status": evaluation.status,
        "deadline": _time(evaluation.deadline),
        "since": format_time(evaluation.since),
    }


def _rating(rating: Rating) -> shapes.Rating:
    return {
        "type": rating.type,
        "score": rating.score,
        "comment": rating.comment,
        "agent": user_document(rating.agent),
        "rated_at": format_time(rating.rated_at),
    }


def _queue(queue: Queue | None) -> shapes.Queue | None:
    return None if queue is None else {"id": queue.id, "name": queue.name}


def _time(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)
