"""The edge: what every request gets, whatever answers it.

A request id, security headers, one line in the log, a count, and an answer in our shape even where
the program itself fails. Neither queries nor bodies are logged: they hold what people wrote.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from random import getrandbits
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dixa_state.web.errors import our_fault
from dixa_state.web.metrics import Metrics

_log = logging.getLogger("dixa_state.web")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
WEBHOOKS = "/webhooks/dixa"
_ANSWER = "dixa_state.answer"
WHOLE = "dixa_state.whole"
"""The extension of a server that sends an answer in one piece, by `send` of lines and a body."""

_QUIET = (WEBHOOKS, "/healthz", "/readyz", "/metrics")
_REFUSED, _UNAUTHENTICATED, _FAILED = 400, 401, 500
_CONTENT_POLICY = (
    b"default-src 'none'; style-src 'self'; frame-ancestors 'none'; "
    b"base-uri 'none'; form-action 'none'"
)
SECURITY = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", _CONTENT_POLICY),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write headers as HTTP/1.1 does."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


_SECURITY_LINES = lines_of(SECURITY)
_OK = b"content-length: %d\r\ncontent-type: application/json\r\nx-request-id: %b\r\n%b"


async def answer_json(scope: Scope, send: Send, body: bytes) -> None:
    """Answer 200; in one piece where the server can, which costs much less than in two."""
    whole = scope.get("extensions", {}).get(WHOLE)
    if whole:
        answer: _Answer = scope[_ANSWER]
        answer.status = 200
        lines = _OK % (len(body), answer.request_id.encode(), _SECURITY_LINES)
        await whole["send"](lines, body)
        return
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def tell(scope: Scope, details: Callable[[], Mapping[str, Any]]) -> None:
    """Add to the line that the log gets about a request; `details` is asked if it gets one."""
    answer: _Answer = scope[_ANSWER]
    answer.details = details


def request_id(scope: Scope) -> str:
    """Give the id of a request."""
    answer: _Answer = scope[_ANSWER]
    return answer.request_id


class Edge:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Count in `metrics`."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:  # noqa: BLE001 — whatever it is, there is an answer
            _log.exception("a request failed", extra={"request_id": answer.request_id})
            if answer.status is None:
                await our_fault(answer.request_id)(scope, receive, answer.send)
        finally:
            self._conclude(scope, answer)
            # These refer back to the scope: without them it is gone at once, and no garbage.
            del scope[_ANSWER]
            scope.pop("extensions", None)

    def _conclude(self, scope: Scope, answer: "_Answer") -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.add(scope["method"], route, answer.status)
        level = _level(route, answer.status)
        if _log.isEnabledFor(level):
            _log.log(level, "request", extra=answer.told(scope) | {"route": route})


def _level(route: str, status: int | None) -> int:
    """Tell how much a request matters; of what went well, the store and the metrics tell more."""
    refused = status == _UNAUTHENTICATED or (route == WEBHOOKS and (status or 0) >= _REFUSED)
    if status is None or status >= _FAILED or refused:
        return logging.WARNING
    return logging.DEBUG if route in _QUIET else logging.INFO


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _REQUEST_ID.fullmatch(value) else None
    return None


class _Answer:
    """What is known of a request and of its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        # What comes from the system's entropy costs more, and nobody gains by guessing an id.
        self.request_id = _given_id(scope) or f"{getrandbits(128):032x}"
        self.status: int | None = None
        self.details: Callable[[], Mapping[str, Any]] | None = None
        self._send = send
        self._started = perf_counter()
        scope[_ANSWER] = self

    def told(self, scope: Scope) -> dict[str, Any]:
        """Give what the log gets."""
        client = scope.get("client")
        details = self.details() if self.details else {}
        return {
            "request_id": self.request_id,
            "client": client[0] if client else None,
            "method": scope["method"],
            **{name: value for name, value in details.items() if value is not None},
            "status": self.status,
            "ms": round((perf_counter() - self._started) * 1_000, 1),
        }

    async def send(self, message: Message) -> None:
        """Pass on the answer, with our headers on it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (b"x-request-id", self.request_id.encode())
            message["headers"] = [*message["headers"], own, *SECURITY]
        await self._send(message)
