"""What every request gets, whatever answers it.

A request id, security headers, one line in the log, a count, and an error of the usual shape even
where the program itself fails. Neither queries nor bodies are logged: they hold what people wrote.
"""

import logging
import re
from collections.abc import Callable, Mapping
from random import getrandbits
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dixa_state.web.errors import internal_error
from dixa_state.web.logs import LineLimit
from dixa_state.web.metrics import Metrics

WEBHOOKS = "/webhooks/dixa"

_log = logging.getLogger("dixa_state.web")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_EXCHANGE = "dixa_state.exchange"
_QUIET = (WEBHOOKS, "/healthz", "/readyz", "/metrics")
_BAD_REQUEST, _UNAUTHENTICATED, _FAILED = 400, 401, 500

CONTENT_SECURITY_POLICY = b"content-security-policy"
SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (
        CONTENT_SECURITY_POLICY,
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_SECURITY_NAMES = frozenset(name for name, _ in SECURITY_HEADERS)


async def send_json(send: Send, body: bytes) -> None:
    """Send a response of status 200."""
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def add_log_fields(scope: Scope, fields: Callable[[], Mapping[str, Any]]) -> None:
    """Add to the line in the log about a request; `fields` is called if there is one."""
    exchange: _Exchange = scope[_EXCHANGE]
    exchange.fields.append(fields)


def request_id(scope: Scope) -> str:
    """Return the id of a request."""
    exchange: _Exchange = scope[_EXCHANGE]
    return exchange.request_id


class RequestMiddleware:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._limit = LineLimit()  # what is refused or fails must not fill the disk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        try:
            await self._app(scope, receive, exchange.send)
        except Exception:  # noqa: BLE001 — whatever it is, there is a response
            if self._limit.allow():
                _log.exception("a request failed", extra={"request_id": exchange.request_id})
            if exchange.status is None:
                await internal_error(exchange.request_id)(scope, receive, exchange.send)
        finally:
            self._conclude(scope, exchange)
            # It refers back to the scope: without it both are freed at once, and are no garbage.
            del scope[_EXCHANGE]

    def _conclude(self, scope: Scope, exchange: "_Exchange") -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests(scope["method"], route, exchange.status).inc()
        level = _log_level(route, exchange.status)
        failed = (exchange.status or 0) >= _BAD_REQUEST
        if not _log.isEnabledFor(level) or (failed and not self._limit.allow()):
            return
        fields = exchange.log_fields(scope) | {"route": route}
        if suppressed := self._limit.take_suppressed():
            fields["suppressed"] = suppressed
        _log.log(level, "request", extra=fields)


def _log_level(route: str, status: int | None) -> int:
    """Return how much a request matters; what went well is in the store and the metrics."""
    refused = status == _UNAUTHENTICATED or (route == WEBHOOKS and (status or 0) >= _BAD_REQUEST)
    if status is None or status >= _FAILED or refused:
        return logging.WARNING
    return logging.DEBUG if route in _QUIET else logging.INFO


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _REQUEST_ID.fullmatch(value) else None
    return None


class _Exchange:
    """What is known of a request and of its response."""

    def __init__(self, scope: Scope, send: Send) -> None:
        # The system's entropy costs more, and nobody gains by guessing an id.
        self.request_id = _given_id(scope) or f"{getrandbits(128):032x}"
        self.status: int | None = None
        self.fields: list[Callable[[], Mapping[str, Any]]] = []
        self._send = send
        self._started = perf_counter()
        scope[_EXCHANGE] = self

    def log_fields(self, scope: Scope) -> dict[str, Any]:
        """Return what the log gets."""
        client = scope.get("client")
        fields = {name: value for made in self.fields for name, value in made().items()}
        return {
            "request_id": self.request_id,
            "client": client[0] if client else None,
            "method": scope["method"],
            **{name: value for name, value in fields.items() if value is not None},
            "status": self.status,
            "ms": round((perf_counter() - self._started) * 1_000, 1),
        }

    async def send(self, message: Message) -> None:
        """Pass on the response, with the security headers that it does not have of its own."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                (b"x-request-id", self.request_id.encode()),
                *_with_security(message["headers"]),
            ]
        await self._send(message)


def _with_security(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    own = _SECURITY_NAMES.intersection([name for name, _ in headers])
    missing = [header for header in SECURITY_HEADERS if header[0] not in own]
    return [*headers, *missing]
