"""How the truth about a conversation is told: in the words of `status --json`."""

from dixa_state.simulate.cast import ORGANIZATION, Document
from dixa_state.simulate.times import SECOND, written
from dixa_state.simulate.truth import Evaluation, Truth

_WORST_FIRST = ("breached", "pending", "achieved", "voided")


def conversation(truth: Truth, end: int) -> Document:
    """Tell it all as of the end of the simulation, in the words of `status --json`."""
    return {
        "kind": "conversation",
        "organization_id": ORGANIZATION["id"],
        **_status(truth),
        **_parties(truth),
        **_judgements(truth),
        "counts": _counts(truth),
        "times": _times(truth),
        "durations": _durations(truth, end),
        "version": truth.events,
        "as_of": written(end),
        "transitions": truth.transitions,
        **_deliveries(truth),
    }


def _status(truth: Truth) -> Document:
    return {
        "csid": truth.csid,
        "status": truth.status,
        "status_since": written(truth.since),
        "dixa_status": truth.dixa_status,
        "channel": truth.channel,
        "direction": truth.direction,
        "subject": truth.subject,
        "contact_point": truth.contact_point,
        "created_at": written(truth.created_at),
    }


def _parties(truth: Truth) -> Document:
    return {
        "requester": truth.requester.document,
        "assignee": truth.assignee.document if truth.assignee else None,
        "assigned_at": _moment(truth.assigned_at),
        "queue": truth.queue.document if truth.queue else None,
        "enqueued_at": _moment(truth.enqueued_at),
    }


def _judgements(truth: Truth) -> Document:
    present = {evaluation.status for evaluation in truth.sla}
    return {
        "tags": sorted(truth.tags),
        "custom_attributes": dict(sorted(truth.attributes.items())),
        "sla_status": next((word for word in _WORST_FIRST if word in present), "none"),
        "sla": [_evaluation(evaluation) for evaluation in truth.sla],
        "ratings": [truth.rating] if truth.rating else [],
    }


def _counts(truth: Truth) -> Document:
    return {
        "events": truth.events,
        "messages_inbound": truth.inbound,
        "messages_outbound": truth.outbound,
        "notes": truth.notes,
        "transfers": truth.transfers,
        "reopens": truth.reopens,
        "assignments": truth.assignments,
        "irregular": 0,
        "inferred": 0,
        "typing": truth.typing,
        "deliveries_failed": truth.failed,
    }


def _times(truth: Truth) -> Document:
    closes = truth.closed_at
    return {
        "first_response_at": _moment(truth.answered_at),
        "first_assigned_at": _moment(truth.first_assigned_at),
        "first_closed_at": written(closes[0]) if closes else None,
        "last_closed_at": written(closes[-1]) if closes else None,
        "last_message_at": _moment(truth.last_message_at),
        "last_customer_message_at": _moment(truth.last_customer_message_at),
        "last_event_at": written(truth.last_event_at),
    }


def _durations(truth: Truth, end: int) -> Document:
    closes, since, wait = truth.closed_at, truth.created_at, truth.queue_time
    answered = truth.first_response
    return {
        "first_response": None if answered is None else answered / SECOND,
        "first_resolution": (closes[0] - since) / SECOND if closes else None,
        "full_resolution": (closes[-1] - since) / SECOND if closes else None,
        **{status: watch.seconds(end) for status, watch in truth.status_times.items()},
        "queue_wait": wait.seconds(end) if wait.used else None,
        "assigned": truth.work_time.seconds(end) if truth.assignments else None,
    }


def _deliveries(truth: Truth) -> Document:
    missed = truth.heard.missed
    last = missed[-1] if missed else None
    hidden = last is not None and last.event_id == truth.transitions[-1]["event_id"]
    return {
        "dropped": [
            {
                "event_id": item.event_id,
                "event": item.event,
                "at": written(item.at),
                "to": item.to,
                "revealed": item.revealed,
            }
            for item in missed
        ],
        "revealed": last.revealed if last and hidden else None,
    }


def _evaluation(evaluation: Evaluation) -> Document:
    return {
        "id": evaluation.id,
        "policy": evaluation.policy.name,
        "metric": evaluation.metric,
        "status": evaluation.status,
        "deadline": written(evaluation.deadline),
        "since": written(evaluation.since),
    }


def _moment(at: int | None) -> str | None:
    return None if at is None else written(at)
