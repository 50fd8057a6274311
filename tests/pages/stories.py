"""Webhooks about a few conversations whose course the tests of the pages know."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

LATE, HOSTILE, LIVE, LOST = 9_001, 9_002, 9_003, 9_004
SCRIPT = "<script>alert(1)</script>"
NAME = "ليلى الحداد"

ORGANIZATION = {"id": "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11", "name": "Aurora"}
QUEUE = {"id": "q-1", "name": "Support"}
AGENT = {"id": "a-1", "name": "Ida Holm", "user_type": "Member"}


def webhook(
    fqn: str, csid: int, at: datetime, status: str, data: Any = None, **conversation: Any
) -> bytes:
    """Return a body as Dixa sends it."""
    name = NAME if csid in (LATE, HOSTILE) else "Noor"
    snapshot = {
        "csid": csid,
        "channel": "EMAIL",
        "direction": "INBOUND",
        "status": status,
        "requester": {"id": f"u-{csid}", "name": name, "user_type": "Contact"},
        "subject": SCRIPT,
        **conversation,
    }
    return json.dumps(
        {
            "event_id": f"{csid}-{fqn}-{at.timestamp():.3f}",
            "event_fqn": fqn,
            "event_version": "1",
            "event_timestamp": at.isoformat(timespec="milliseconds"),
            "organization": ORGANIZATION,
            "data": {"conversation": snapshot, **(data or {})},
        }
    ).encode()


def stories(start: datetime) -> Iterator[tuple[bytes, datetime]]:
    """Yield bodies and when each was received: one of them late, one hostile."""

    def at(minutes: float) -> datetime:
        return start + timedelta(minutes=minutes)

    taken = {"queue": QUEUE, "assignee": AGENT}
    message = {"message": {"id": "m-1", "text": SCRIPT, "direction": "Inbound", "author": None}}
    for csid in (LATE, HOSTILE):
        yield webhook("CONVERSATION_CREATED", csid, at(1), "OPEN"), at(1)
        yield webhook("CONVERSATION_MESSAGE_ADDED", csid, at(2), "OPEN", message), at(2)
        enqueued = {"queue": QUEUE}
        yield webhook("CONVERSATION_ENQUEUED", csid, at(3), "OPEN", enqueued, queue=QUEUE), at(3)
    assigned = {"agent": AGENT}
    yield webhook("CONVERSATION_ASSIGNED", LATE, at(5), "OPEN", assigned, **taken), at(100)
    yield webhook("CONVERSATION_PENDING", LATE, at(90), "PENDING", None, **taken), at(91)
    by = {"user": {"id": "a-2", "name": "=cmd|' /C calc'!A0", "user_type": "Member"}}
    yield webhook("CONVERSATION_CLOSED", LATE, at(200), "CLOSED", by, **taken), at(200)
