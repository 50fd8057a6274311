"""How the contract's documents look to a person in a terminal; times are UTC."""

from collections.abc import Iterator, Mapping
from typing import Any

from dixa_state.domain.timestamps import shorten

Document = Mapping[str, Any]
Row = tuple[object, ...]

_HOURS_SHOWN = 48
_SECONDS = len("2026-03-02 08:00:00")

TIMELINE = ("at (UTC)", "event", "by", "changes")
AUDIT = ("#", "at (UTC)", "from", "to", "event", "by", "remarks")
AUDIT_OF_ALL = ("at (UTC)", "csid", *AUDIT[2:])
LIST = ("csid", "status", "last event (UTC)", "queue", "assignee", "requester", "SLA")
SLA = ("csid", "metric", "status", "deadline (UTC)", "queue", "agent")
SHARES = ("", "achieved", "breached", "pending", "voided", "attainment")
MEASURES = ("duration", "p50", "p90", "average", "of", "by date")
DAYS = ("day", "began", "opened", "pending", "closed", "abandoned", "reopens")
FINDINGS = ("where", "expected", "got")
BANS = ("who", "banned", "since (UTC)", "by")
QUARANTINE = ("id", "received (UTC)", "bytes", "reason", "resolution")


def status_fields(status: Document) -> Iterator[tuple[str, object]]:
    """Give the names and values of a conversation's state."""
    counts, durations, queue = status["counts"], status["durations"], status["queue"]
    yield "conversation", status["csid"]
    yield "organization", status["organization_id"]
    yield "status", f"{status['status'] or 'unknown'} since {clock(status['status_since'])}"
    yield "as of", clock(status["as_of"])
    yield "known at", clock(status["known_at"])
    yield "subject", status["subject"]
    yield "channel", ", ".join(filter(None, (status["channel"], status["direction"])))
    yield "created", clock(status["created_at"])
    yield "requester", person(status["requester"])
    yield "assignee", person(status["assignee"])
    yield "queue", queue and (queue["name"] or queue["id"])
    yield "tags", ", ".join(status["tags"])
    yield "attributes", _pairs(status["custom_attributes"])
    yield "SLA", ", ".join(map(_evaluation, status["sla"])) or status["sla_status"]
    yield "ratings", "; ".join(map(_rating, status["ratings"]))
    yield "counts", _pairs({name: count for name, count in counts.items() if count})
    yield "durations", _pairs({name: _span(time) for name, time in durations.items() if time})
    yield "evidence", f"{status['version']} events, the newest at position {status['position']}"


def timeline_row(step: Document) -> Row:
    """Give the row of one event; what Dixa's own status says is told by the status already."""
    changed = [
        f"{name}: {_change(name, change['before'], change['after'])}"
        for name, change in step["changes"].items()
        if not (name == "dixa_status" and "status" in step["changes"])
    ]
    marks = [f"({word})" for word in ("inferred", "late") if step[word]]
    event = step["fqn"] or step["event"].removeprefix("conversation.")
    return clock(step["at"]), event, person(step["actor"]) or "", "; ".join(changed + marks)


def audit_row(move: Document) -> Row:
    """Give the row of one transition."""
    remarks = [move["irregular"], *(word for word in ("inferred", "late") if move[word])]
    return (
        move["sequence"],
        clock(move["at"]),
        move["from"] or "",
        move["to"],
        move["event"].removeprefix("conversation."),
        person(move["actor"]) or "",
        ", ".join(filter(None, remarks)),
    )


def audit_of_all_row(move: Document) -> Row:
    """Give the row of one transition among those of many conversations."""
    _, at, before, after, event, by, remarks = audit_row(move)
    return at, move["csid"], before, after, event, by, remarks


def list_row(status: Document) -> Row:
    """Give the row of a conversation."""
    queue = status["queue"]
    return (
        status["csid"],
        status["status"],
        (clock(status["times"]["last_event_at"]) or "")[:_SECONDS],
        (queue and (queue["name"] or queue["id"])) or "",
        person(status["assignee"]) or "",
        person(status["requester"]) or "",
        status["sla_status"],
    )


def sla_row(evaluation: Document) -> Row:
    """Give the row of an SLA evaluation."""
    return (
        evaluation["csid"],
        evaluation["metric"] or evaluation["policy"],
        evaluation["status"],
        clock(evaluation["deadline"]) or "",
        evaluation["queue"] or "",
        evaluation["agent"] or "",
    )


def share_row(share: Document) -> Row:
    """Give the row of a share."""
    attainment = share["attainment"]
    return (
        "all" if share["by"] is None else share["value"] or "none",
        share["achieved"],
        share["breached"],
        share["pending"],
        share["voided"],
        "" if attainment is None else f"{attainment:.1%}",
    )


def stats_fields(stats: Document) -> Iterator[tuple[str, object]]:
    """Give the counts."""
    yield "conversations", f"{stats['conversations']:,}"
    for name in ("by_status", "by_sla_status", "by_queue", "by_assignee"):
        yield name.removeprefix("by_").replace("_", " "), _pairs(stats[name])
    yield "transitions", f"{stats['transitions']:,}"
    remarks = {name: stats[name] for name in ("reopens", "irregular", "inferred", "late")}
    yield "of these", _pairs(remarks)
    for name in ("abandon_rate", "csat"):
        if stats[name] is not None:
            yield name.replace("_", " "), f"{stats[name]:.1%}"
    for poison in stats["poison"]:
        yield "poison", f"{poison['position']} {poison['event']}: {poison['error']}"


def measure_rows(stats: Document) -> Iterator[Row]:
    """Give the rows of durations."""
    for name, measure in stats["durations"].items():
        times = (measure[key] for key in ("p50", "p90", "average"))
        spans = ("" if time is None else _span(time) for time in times)
        yield name, *spans, measure["count"], measure["cohort"]


def day_row(day: Document) -> Row:
    """Give the row of a day."""
    return tuple(day.values())


def finding_row(finding: Document) -> Row:
    """Give the row of something that is not as it should be."""
    return finding["where"], finding["expected"], finding["got"]


def ban_row(ban: Document, change: Document) -> Row:
    """Give the row of a ban, or of one change in its history."""
    who = person(ban["user"]) or ban["id"]
    at = clock(change.get("since") or change.get("at"))
    return who, "yes" if change["banned"] else "no", at, person(change["by"]) or ""


def quarantine_row(item: Document) -> Row:
    """Give the row of a quarantined body."""
    received = clock(item["received_at"])
    return item["id"], received, item["bytes"], item["reason"], item["resolution"] or "waiting"


def person(user: Document | None) -> str | None:
    """Name somebody as briefly as they can be told from others."""
    if user is None:
        return None
    named = (user[key] for key in ("name", "email", "phone", "id") if user[key])
    return shorten(next(named, "?"), 40)


def clock(time: str | None) -> str | None:
    """Show a time without what a reader does not need."""
    return time and time.replace("T", " ").removesuffix("Z").removesuffix(".000")


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


def _several(value: Document | list[str]) -> str:
    return (_pairs(value) if isinstance(value, dict) else ", ".join(value)) or "none"


def _pairs(values: Document) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _queue(queue: Document | None) -> str:
    return (queue["name"] or queue["id"]) if queue else "none"


def _evaluation(evaluation: Document) -> str:
    name = evaluation["metric"] or evaluation["policy"] or evaluation["id"] or "evaluation"
    return f"{name} {evaluation['status']}"


def _rating(rating: Document) -> str:
    comment = f" “{shorten(rating['comment'], 60)}”" if rating["comment"] else ""
    return f"{rating['type'] or 'rating'} {rating['score']}{comment}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= _HOURS_SHOWN:
        return f"{hours // 24}d {hours % 24}h"
    return f"{hours}:{minutes:02}:{rest:02}"
