"""The receiver of Dixa's webhooks: it answers 200 when the body is on disk, and not before."""

from collections.abc import Callable
from datetime import datetime
from time import perf_counter

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dixa_state.documents import outcome_document
from dixa_state.errors import DixaStateError, SignatureError
from dixa_state.event_store import Delivery, Outcome
from dixa_state.web.bodies import Bodies
from dixa_state.web.edge import WEBHOOKS, tell
from dixa_state.web.errors import code_of, error_response
from dixa_state.web.inbox import Inbox
from dixa_state.web.metrics import Metrics
from dixa_state.web.policy import Policy

SIGNATURE = "x-dixa-signature"
SUBSCRIPTION = "x-dixa-subscription-id"


class Receiver:
    """Takes one webhook a request."""

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
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    @property
    def path(self) -> str:
        """The route, as the log and the metrics name it."""
        return WEBHOOKS

    async def _answer(self, request: Request) -> Response:
        started = perf_counter()
        try:
            outcome = await self._keep(request)
        except (DixaStateError, HTTPException) as error:
            self._count_refusal(request, error)
            return error_response(error)
        self._metrics.answer.observe(perf_counter() - started)
        self._count(request, outcome)
        return Response(to_json(outcome_document(outcome)), media_type="application/json")

    async def _keep(self, request: Request) -> Outcome:
        if request.method != "POST":
            raise HTTPException(405, "Method Not Allowed", {"Allow": "POST"})
        self._policy.require_sender(request.headers.get("authorization"))
        # A page in a browser can send what is not declared as JSON to any address without asking.
        declared = self._policy.allow_unsigned
        body = await self._bodies.read(request, self._policy.max_body, declared=declared)
        received_at = self._now()
        signature = _joined(request, SIGNATURE)
        subscription_id = _joined(request, SUBSCRIPTION)
        self._policy.require_signature(body, signature, subscription_id, received_at)
        return await self._inbox.put(Delivery(body, received_at, subscription_id, signature))

    def _count(self, request: Request, outcome: Outcome) -> None:
        self._metrics.received.labels(outcome.kind, outcome.topic or "none").inc()
        tell(
            request,
            outcome=outcome.kind,
            event=outcome.topic,
            event_id=outcome.event_id,
            position=outcome.position,
            quarantine_id=outcome.quarantine_id,  # its reason may quote what people wrote
        )

    def _count_refusal(self, request: Request, error: DixaStateError | HTTPException) -> None:
        reason = error.reason if isinstance(error, SignatureError) else code_of(error)
        why = error.detail if isinstance(error, HTTPException) else str(error)
        self._metrics.refused.labels(reason).inc()
        tell(request, refused=reason, why=why)


def _joined(request: Request, name: str) -> str | None:
    """Give a header; one that came twice is the list of both, by the rules of HTTP."""
    return ",".join(request.headers.getlist(name)) or None
