"""How answers look to a person in a terminal; times are UTC."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from dixa_state import questions
from dixa_state.domain.timestamps import format_time, shorten
from dixa_state.questions.conversation import Queue, Rating, Sla, User
from dixa_state.questions.measures import Measured
from dixa_state.questions.quarantine import QuarantinedWebhook

Row = tuple[object, ...]

_HOURS_SHOWN = 48
_LONGEST_TEXT = 60  # of a message; --json has the whole
_SECONDS = len("2026-03-02 08:00:00")

EVENTS = ("position", "at (UTC)", "received (UTC)", "event", "event id", "signature")
TIMELINE = ("at (UTC)", "event", "by", "changes")
AUDIT = ("#", "at (UTC)", "from", "to", "event", "by", "remarks", "event id")
AUDIT_OF_ALL = ("at (UTC)", "csid", *AUDIT[2:])
MISSED = ("csid", "lost", "after (UTC)", "before (UTC)", "proof", "event", "event id")
LIST = ("csid", "status", "queue", "assignee", "requester", "SLA")
LISTED_BY = {
    "created_at": "created (UTC)",
    "waiting": "waiting",
    "open_since": "open for",
    "deadline": "due in",
}
LISTED_BY_ELSE = "last event (UTC)"
SLA = ("csid", "metric", "status", "deadline (UTC)", "queue", "agent")
ATTAINMENT = ("", "achieved", "breached", "pending", "voided", "attainment", "before")
MEASURES = ("measure", "p50", "p90", "average", "of", "by date")
GROUPED = ("measure", "p50", "p90", "average", "of")
COMPARED = ("measure", "p50", "p50 before", "average", "average before", "of", "of before")
DAYS = tuple(questions.DailyCounts.model_fields)
BANS = ("who", "banned", "since (UTC)", "by")
QUARANTINE = ("id", "received (UTC)", "bytes", "reason", "resolution")


def status_fields(state: questions.Conversation) -> Iterator[tuple[str, object]]:
    """Yield the names and values of a conversation's state."""
    counts = {name: count for name, count in state.counts if count}
    bounds = {*state.times.upper_bounds, *state.durations.upper_bounds}
    durations = {
        name: f"{'≤ ' if name in bounds else ''}{_lasting(spent)}"
        for name, spent in state.durations
        if spent and name != "upper_bounds"
    }
    yield "conversation", state.csid
    yield "organization", state.organization_id
    yield "status", f"{state.status or 'unknown'} since {clock(state.status_since)}"
    yield "as of", clock(state.as_of)
    yield "known at", clock(state.known_at)
    yield "subject", state.subject
    yield "channel", ", ".join(filter(None, (state.channel, state.direction)))
    yield "created", clock(state.created_at)
    yield "requester", person(state.requester)
    yield "assignee", person(state.assignee)
    yield "queue", state.queue and (state.queue.name or state.queue.id)
    yield "tags", ", ".join(state.tags)
    yield "attributes", _pairs(state.custom_attributes)
    yield "SLA", ", ".join(map(_evaluation, state.sla)) or state.sla_status
    yield "ratings", "; ".join(map(_rating, state.ratings))
    yield "counts", _pairs(counts)
    yield "durations", _pairs(durations)
    yield "evidence", f"{state.version} events, the newest at position {state.position}"


def timeline_row(step: questions.TimelineStep) -> Row:
    """Return the row of one event; a change of status says what Dixa's own status says."""
    changed = [
        f"{name}: {_change(name, change.before, change.after)}"
        for name, change in step.changes.items()
        if not (name == "dixa_status" and "status" in step.changes)
    ]
    marks = [f"({word})" for word in ("inferred", "late") if getattr(step, word)]
    event = step.fqn or step.event.removeprefix("conversation.")
    return clock(step.at), event, person(step.actor) or "", "; ".join(changed + _said(step) + marks)


def event_row(stored: questions.StoredEvent) -> Row:
    """Return the row of a stored webhook."""
    event = stored.event.removeprefix("conversation.")
    received = clock(stored.received_at)
    return stored.position, clock(stored.at), received, event, stored.event_id, stored.verdict


def cause_fields(cause: questions.Cause) -> Iterator[tuple[str, object]]:
    """Yield the names and values of what is behind a field."""
    yield cause.field, _shown(cause.value)
    yield "as of", clock(cause.as_of)
    yield "known at", clock(cause.known_at)
    if cause.event is None:
        yield "event", "none: no webhook reported it"
        return
    yield "before", _shown(cause.before)
    yield "event", f"{cause.event} at position {cause.position}"
    yield "event id", cause.event_id
    yield "happened", f"{clock(cause.at)}, which decides the order"
    yield "received", f"{clock(cause.received_at)}{', late' if cause.late else ''}"
    yield "evidence", _EVIDENCE[cause.evidence or "event"]
    yield "by", person(cause.actor) or "not said"
    yield "signature", cause.verdict


_EVIDENCE = {
    "event": "the event says so",
    "snapshot": "the conversation shown in the event's body",
}


def _shown(value: Any) -> str:
    """Return a value of any field: people and queues by their names."""
    match value:
        case _ if value in (None, [], {}):
            return "none"
        case {"name": name, "id": key}:
            return str(name or key)
        case str():
            return value
        case _:
            return to_json(value).decode()


def _said(step: questions.TimelineStep) -> list[str]:
    """Return the beginning of a message or note, and the names of its attachments."""
    text = " ".join((step.details.get("text") or "").split())
    attached = ", ".join(step.details.get("attachments") or ())
    parts = (shorten(text, _LONGEST_TEXT), attached and f"attached: {shorten(attached)}")
    return [part for part in parts if part]


def audit_row(transition: questions.Transition) -> Row:
    """Return the row of one transition."""
    marks = [word for word in ("inferred", "late") if getattr(transition, word)]
    return (
        transition.sequence,
        clock(transition.at),
        transition.from_status or "",
        transition.to_status,
        transition.event.removeprefix("conversation."),
        _by(transition),
        ", ".join(filter(None, [transition.irregular, *marks])),
        transition.event_id,
    )


def audit_of_all_row(transition: questions.Transition) -> Row:
    """Return the row of one transition among those of many conversations."""
    _, at, *rest = audit_row(transition)
    return at, transition.csid, *rest


def _by(transition: questions.Transition) -> str:
    """Return who did it, or in brackets who had the conversation then."""
    if transition.actor or transition.holder is None:
        return person(transition.actor) or ""
    holder = transition.holder
    return f"({shorten(holder.name or holder.email or holder.id or '?', 40)})"


def missed_row(loss: questions.Loss) -> Row:
    """Return the row of a lost webhook."""
    return (
        loss.csid,
        loss.field if loss.tag is None else f"tag {shorten(loss.tag)}",
        (clock(loss.after) or "")[:_SECONDS],
        (clock(loss.before) or "")[:_SECONDS],
        loss.proof,
        loss.event.removeprefix("conversation."),
        loss.event_id,
    )


def list_columns(sort: str, *, several: bool) -> tuple[str, ...]:
    """Return the columns of a list: with what it is sorted by, and perhaps the organization."""
    first, second, *rest = LIST
    sorted_by = LISTED_BY.get(sort.removeprefix("-"), LISTED_BY_ELSE)
    return (first, *(["organization"] if several else []), second, sorted_by, *rest)


def list_row(
    state: questions.Conversation, sort: str, now: datetime, organization: str | None
) -> Row:
    """Return the row of a conversation, with its organization if there are several."""
    return (
        state.csid,
        *([] if organization is None else [organization]),
        state.status,
        _sorted_by(state, sort.removeprefix("-"), state.as_of or now),
        _queue(state.queue) if state.queue else "",
        person(state.assignee) or "",
        person(state.requester) or "",
        state.sla_status,
    )


def _sorted_by(state: questions.Conversation, sort: str, now: datetime) -> str:
    times = state.times
    match sort:
        case "waiting":
            return _since(state.waiting_since, now)
        case "open_since":
            return _since(state.status_since, now)
        case "deadline":
            return span((times.next_deadline - now).total_seconds()) if times.next_deadline else ""
        case "created_at":
            return (clock(state.created_at) or "")[:_SECONDS]
        case _:
            return (clock(times.last_event_at) or "")[:_SECONDS]


def _since(time: datetime | None, now: datetime) -> str:
    return span(max((now - time).total_seconds(), 0)) if time else ""


def sla_row(evaluation: questions.SlaEvaluation) -> Row:
    """Return the row of an SLA evaluation."""
    return (
        evaluation.csid,
        evaluation.metric or evaluation.policy,
        evaluation.status,
        clock(evaluation.deadline) or "",
        evaluation.queue or "",
        evaluation.agent or "",
    )


def attainment_row(share: questions.SlaAttainment) -> Row:
    """Return the row of a share."""
    return (
        "all" if share.by is None else share.label or "none",
        share.achieved,
        share.breached,
        share.pending,
        share.voided,
        _share(share.attainment),
        _share(share.attainment_before),
    )


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def stats_fields(stats: questions.Statistics) -> Iterator[tuple[str, object]]:
    """Yield the names and values of the counts, and what they are of."""
    if stats.since or stats.until:
        began, ended = clock(stats.since) or "the beginning", clock(stats.until) or "now"
        yield "period (UTC)", f"{began} to {ended}"
    yield "as of", clock(stats.as_of)
    yield "known at", clock(stats.known_at)
    if stats.business_hours:
        yield "hours", "closed hours are subtracted from durations"
    yield "conversations", f"{stats.conversations:,}"
    for name in ("by_status", "by_sla_status", "by_queue", "by_assignee"):
        counts = {stats.labels.get(key, key): n for key, n in getattr(stats, name).items()}
        yield name.removeprefix("by_").replace("_", " "), _pairs(counts)
    yield "transitions", f"{stats.transitions:,}"
    remarks = ("reopens", "irregular", "inferred", "late")
    yield "of these", _pairs({name: getattr(stats, name) for name in remarks})
    yield "missed", f"{stats.missed:,} webhooks" if stats.missed else None
    for poison in stats.poison:
        yield "poison", f"{poison.position} {poison.event}: {poison.error}"


def measures(stats: questions.Statistics) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the columns and the rows of the measures: all, by group, or beside those before."""
    if stats.by:
        name, *figures = COMPARED if stats.compared else GROUPED
        return (name, stats.by, *figures), _grouped_rows(stats)
    if stats.compared:
        before = stats.compared.measures
        return COMPARED, (
            (name, *_beside(measure, before[name])) for name, measure in stats.measures.items()
        )
    return MEASURES, (
        (name, *_figures(measure), _count(measure), measure.cohort)
        for name, measure in stats.measures.items()
        if measure.unit != "count"
    )


def _grouped_rows(stats: questions.Statistics) -> Iterator[Row]:
    compared = stats.compared
    now = {group.value: group.measures for group in stats.groups}
    before = {group.value: group.measures for group in compared.groups} if compared else {}
    labels = (compared.labels if compared else {}) | stats.labels
    for name in stats.measures:
        for value in now | before:
            measure, earlier = (of.get(value, {}).get(name) for of in (now, before))
            if any(one and (one.count or one.upper_bounds) for one in (measure, earlier)):
                figures = (*_figures(measure), _count(measure))
                shown = labels.get(value or "", value or "none")
                yield name, shown, *(_beside(measure, earlier) if compared else figures)


def _beside(measure: Measured | None, earlier: Measured | None) -> Row:
    """Return median, average and number of a measure, each beside the one before."""
    p50, _, average = _figures(measure)
    p50_before, _, average_before = _figures(earlier)
    return p50, p50_before, average, average_before, _count(measure), _count(earlier)


def _figures(measure: Measured | None) -> tuple[str, ...]:
    """Return median, p90 and average in the unit of the measure; blanks without one."""
    if measure is None:
        return "", "", ""
    figures = (measure.p50, measure.p90, measure.average)
    shown = "{:.1%}".format if measure.unit == "share" else span
    return tuple("" if figure is None else shown(figure) for figure in figures)


def _count(measure: Measured | None) -> str:
    """Return how many were measured, and how many were left out."""
    if measure is None:
        return "0"
    left_out = f" (+{measure.upper_bounds:,})" if measure.upper_bounds else ""
    return f"{measure.count:,}{left_out}"


def day_row(day: questions.DailyCounts) -> Row:
    """Return the row of a day."""
    return tuple(value for _, value in day)


def ban_row(ban: questions.Ban) -> Row:
    """Return the row of a ban."""
    return _ban(ban, ban.since, ban.by, banned=ban.banned)


def ban_history(ban: questions.Ban) -> Iterator[Row]:
    """Yield the row of each change in the history of a ban."""
    return (_ban(ban, one.at, one.by, banned=one.banned) for one in ban.history)


def _ban(ban: questions.Ban, at: datetime | None, by: User | None, *, banned: bool) -> Row:
    return person(ban.user) or ban.id, "yes" if banned else "no", clock(at), person(by) or ""


def quarantine_row(item: QuarantinedWebhook) -> Row:
    """Return the row of a quarantined body."""
    received = clock(item.received_at)
    return item.id, received, item.bytes, item.reason, item.resolution or "waiting"


def person(user: User | None) -> str | None:
    """Return the shortest name that identifies somebody."""
    if user is None:
        return None
    named = (name for name in (user.name, user.email, user.phone, user.id) if name)
    return shorten(next(named, "?"), 40)


def clock(time: Any) -> str | None:
    """Return a time without what a reader does not need: milliseconds, where there are any."""
    if time is None:
        return None
    shown = time.replace(microsecond=time.microsecond // 1_000 * 1_000)
    return format_time(shown).replace("T", " ").removesuffix("Z").removesuffix(".000")


def _change(name: str, before: Any, after: Any) -> str:
    match name:
        case "sla":
            return ", ".join(_evaluation(item) for item in after if item not in before)
        case "ratings":
            return ", ".join(_rating(item) for item in after if item not in before)
        case "requester" | "assignee":
            return f"{person(before) or 'none'} → {person(after) or 'none'}"
        case "queue":
            return f"{_queue(before)} → {_queue(after)}"
        case "tags" | "custom_attributes":
            return f"{_several(before)} → {_several(after)}"
        case _:
            return f"{before or 'none'} → {after or 'none'}"


def _several(value: Mapping[str, Any] | list[str]) -> str:
    return (_pairs(value) if isinstance(value, Mapping) else ", ".join(value)) or "none"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _queue(queue: Queue | None) -> str:
    return (queue.name or queue.id or "none") if queue else "none"


def _evaluation(evaluation: Sla) -> str:
    name = evaluation.metric or evaluation.policy or evaluation.id or "evaluation"
    return f"{name} {evaluation.status}"


def _rating(rating: Rating) -> str:
    comment = f" “{shorten(rating.comment, 60)}”" if rating.comment else ""
    return f"{rating.type or 'rating'} {rating.score}{comment}"


def _lasting(seconds: float | list[float]) -> str:
    return " + ".join(map(span, seconds)) if isinstance(seconds, list) else span(seconds)


def count_fields(counts: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of counts, and the time that was needed."""
    for name, count in counts.items():
        yield ("time", span(count)) if name == "seconds" else (name.replace("_", " "), f"{count:,}")


def span(seconds: float) -> str:
    """Return a duration: hours, minutes and seconds, or days and hours where it is long."""
    if seconds < 0:
        return f"-{span(-seconds)}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= _HOURS_SHOWN:
        return f"{hours // 24}d {hours % 24}h"
    return f"{hours}:{minutes:02}:{rest:02}"
