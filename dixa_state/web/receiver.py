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
from dixa_state.questions.documents import outcome_document
from dixa_state.store.append import Outcome
from dixa_state.store.events import Webhook
from dixa_state.web.bodies import Bodies, Head, head_of
from dixa_state.web.edge import WEBHOOKS, answer_json, tell
from dixa_state.web.errors import code_of, error_response
from dixa_state.web.inbox import Inbox
from dixa_state.web.metrics import Metrics
from dixa_state.web.policy import Policy

SIGNATURE = b"x-dixa-signature"
SUBSCRIPTION = b"x-dixa-subscription-id"


class Receiver:
    """Takes one webhook a request."""

    path = WEBHOOKS
    """The route, as the log and the metrics name it."""

    def __init__(
        self,
        inbox: Inbox,
        bodies: Bodies,
        policy: Policy,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        """Verify by `policy`, store through `inbox`; `now` gives the time of receipt."""
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
            outcome = await self._keep(scope, receive)
        except (DixaStateError, HTTPException) as error:
            self._count_refusal(scope, error)
            await error_response(error)(scope, receive, send)
            return
        self._metrics.answer.observe(perf_counter() - started)
        self._metrics.received.add(outcome.kind, outcome.topic or "none")
        tell(scope, partial(_details, outcome))
        await answer_json(scope, send, to_json(outcome_document(outcome)))

    async def _keep(self, scope: Scope, receive: Receive) -> Outcome:
        if scope["method"] != "POST":
            raise HTTPException(405, "Method Not Allowed", {"Allow": "POST"})
        head = head_of(scope)
        policy = self._policy
        policy.require_sender(_text(head.get(b"authorization")))
        # A page in a browser can send what is not declared as JSON to any address without asking.
        declared = policy.allow_unsigned
        body = await self._bodies.read(head, receive, policy.max_body, declared=declared)
        received_at = self._now()
        signature = _joined(scope, head, SIGNATURE)
        subscription_id = _joined(scope, head, SUBSCRIPTION)
        policy.require_signature(body, signature, subscription_id, received_at)
        return await self._inbox.put(Webhook(body, received_at, subscription_id, signature))

    def _count_refusal(self, scope: Scope, error: DixaStateError | HTTPException) -> None:
        reason = error.reason if isinstance(error, SignatureError) else code_of(error)
        why = error.detail if isinstance(error, HTTPException) else str(error)
        self._metrics.refused.add(reason)
        tell(scope, lambda: {"refused": reason, "why": why})


def _details(outcome: Outcome) -> dict[str, Any]:
    return {
        "outcome": outcome.kind,
        "event": outcome.topic,
        "event_id": outcome.event_id,
        "position": outcome.position,
        "quarantine_id": outcome.quarantine_id,  # its reason may quote what people wrote
    }


def _joined(scope: Scope, head: Head, name: bytes) -> str | None:
    """Give a header; one that came twice is the list of both, by the rules of HTTP."""
    value = head.get(name)
    if value is not None and len(head) < len(scope["headers"]):
        value = b",".join(one for key, one in scope["headers"] if key == name)
    return _text(value) or None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
