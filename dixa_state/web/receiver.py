"""The receiver of Dixa's webhooks: it answers 200 when the body is on disk, and not before."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from dixa_state.errors import DixaStateError, SignatureError
from dixa_state.questions.quarantine import describe_outcome
from dixa_state.store.append import Outcome
from dixa_state.store.events import Webhook
from dixa_state.web.bodies import BodyReader, Headers, headers_of
from dixa_state.web.errors import code_of, error_response
from dixa_state.web.inbox import Inbox
from dixa_state.web.metrics import Metrics
from dixa_state.web.middleware import WEBHOOKS, add_log_fields, send_json
from dixa_state.web.policy import Policy

SIGNATURE = b"x-dixa-signature"
SUBSCRIPTION = b"x-dixa-subscription-id"


class Receiver:
    """Answers webhooks, one a request."""

    path = WEBHOOKS
    """The route, as the log and the metrics name it."""

    def __init__(
        self,
        inbox: Inbox,
        bodies: BodyReader,
        policy: Policy,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        """Verify by `policy`, store through `inbox`; `now` returns the time of receipt."""
        self._inbox = inbox
        self._bodies = bodies
        self._policy = policy
        self._metrics = metrics
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a webhook, as an ASGI application."""
        scope["route"] = self
        started = perf_counter()
        try:
            outcome = await self._append(scope, receive)
        except (DixaStateError, HTTPException) as error:
            self._count_error(scope, error)
            await error_response(error)(scope, receive, send)
            return
        self._metrics.response_time.observe(perf_counter() - started)
        self._metrics.last_hour.add(outcome.kind)
        self._metrics.received(outcome.kind, outcome.topic or "none").inc()
        add_log_fields(scope, partial(_log_fields, outcome))
        await send_json(send, to_json(describe_outcome(outcome)))

    async def _append(self, scope: Scope, receive: Receive) -> Outcome:
        if scope["method"] != "POST":
            raise HTTPException(405, "Method Not Allowed", {"Allow": "POST"})
        headers = headers_of(scope)
        policy = self._policy
        policy.require_sender(_text(headers.get(b"authorization")))
        # A page in a browser can send what is not declared as JSON to any address without asking.
        declared = policy.allow_unsigned
        body = await self._bodies.read(headers, receive, policy.max_body, declared=declared)
        received_at = self._now()
        signature = _joined(scope, headers, SIGNATURE)
        subscription_id = _joined(scope, headers, SUBSCRIPTION)
        policy.require_signature(body, signature, subscription_id, received_at)
        return await self._inbox.append(Webhook(body, received_at, subscription_id, signature))

    def _count_error(self, scope: Scope, error: DixaStateError | HTTPException) -> None:
        reason = error.reason if isinstance(error, SignatureError) else code_of(error)
        why = error.detail if isinstance(error, HTTPException) else str(error)
        self._metrics.last_hour.add("refused")
        self._metrics.refused(reason).inc()
        add_log_fields(scope, lambda: {"refused": reason, "why": why})


def _log_fields(outcome: Outcome) -> dict[str, Any]:
    return {
        "outcome": outcome.kind,
        "event": outcome.topic,
        "event_id": outcome.event_id,
        "position": outcome.position,
        "quarantine_id": outcome.quarantine_id,  # its reason may quote what people wrote
    }


def _joined(scope: Scope, headers: Headers, name: bytes) -> str | None:
    """Return a header; one that came twice is the list of both, by the rules of HTTP."""
    value = headers.get(name)
    if value is not None and len(headers) < len(scope["headers"]):
        value = b",".join(one for key, one in scope["headers"] if key == name)
    return _text(value) or None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
