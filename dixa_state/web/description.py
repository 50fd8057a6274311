"""The description of the API: OpenAPI for programs, Swagger UI for people, each rendered once."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, FastAPI, Header, Request
from fastapi.openapi.docs import get_swagger_ui_html
from pydantic_core import to_json
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from dixa_state.questions.quarantine import WebhookOutcome
from dixa_state.web.errors import Error
from dixa_state.web.middleware import CONTENT_SECURITY_POLICY, WEBHOOKS

INTRODUCTION = """\
Answers are JSON, but for the metrics and the live updates. With API tokens set, send one as
`Authorization: Bearer …`. Lists answer `{"data": […], "meta": {"next": …}}`; follow `meta.next`
until it is absent. Every error is `{"error": {"code", "message", "detail"}}`.
"""

Schema = dict[str, Any]

router = APIRouter()

_WEBHOOK = {
    "event_id": "4b6f1f0e-6a51-4f0c-9a3e-0d6a4f4b7c10",
    "event_fqn": "CONVERSATION_CLOSED",
    "event_version": "1",
    "event_timestamp": "2026-03-02T09:40:00.000Z",
    "organization": {"id": "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11", "name": "Aurora"},
    "data": {"conversation": {"csid": 70431, "channel": "EMAIL", "status": "CLOSED"}},
}
_ERRORS = {
    400: "The body broke off.",
    401: "Not signed by Dixa with a secret that is set.",
    408: "The body did not come in time.",
    413: "The body is larger than `DIXA_STATE_MAX_BODY`.",
    415: "The body is compressed, or not declared as JSON.",
    503: "It cannot be stored now; see `Retry-After`.",
}


def describe(app: FastAPI, root_path: str, *, guarded: bool) -> None:
    """Add the OpenAPI document, its page and the files of that to an application.

    Links begin with `root_path`; `guarded` is whether reading takes a token.
    """
    lock = Lock()

    @cache
    def document() -> bytes:
        return to_json(_corrected(app.openapi(), guarded=guarded))

    page = get_swagger_ui_html(
        openapi_url=f"{root_path}/openapi.json",
        title="dixa_state: HTTP API",
        swagger_js_url=f"{root_path}/static/swagger-ui-bundle.js",
        swagger_css_url=f"{root_path}/static/swagger-ui.css",
        swagger_favicon_url=f"{root_path}/static/favicon.png",
    )
    html = bytes(page.body)
    headers = {CONTENT_SECURITY_POLICY.decode(): _content_security_policy(html.decode())}

    @app.get("/openapi.json", include_in_schema=False)
    def openapi() -> Response:  # in a thread: the first rendering takes half a second
        with lock:
            return Response(document(), media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(html, headers=headers, media_type="text/html")

    app.mount("/static", StaticFiles(packages=[("fastapi_offline", "static")]))


def _corrected(document: Schema, *, guarded: bool) -> Schema:
    """Correct what FastAPI assumes: wrong values are 400 here, and reading may need no token."""
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            if not guarded:
                operation.pop("security", None)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schemas.update(content["schema"].pop("$defs", {}))
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def _content_security_policy(page: str) -> str:
    """Return a policy that allows the one script within the page by its digest, and no other."""
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


@router.post(
    WEBHOOKS,
    operation_id="receive_webhook",
    tags=["webhooks"],
    response_model=WebhookOutcome,
    response_description="What became of it.",
    responses={status: {"model": Error, "description": text} for status, text in _ERRORS.items()},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {}, "example": _WEBHOOK}},
        }
    },
)
async def receive_webhook(
    _request: Request,
    x_dixa_signature: Annotated[
        str | None,
        Header(description="`t=<milliseconds>,v1=<hex>`; needed unless unsigned bodies pass."),
    ] = None,
    x_dixa_subscription_id: Annotated[
        str | None, Header(description="Narrows down whose secret is tried.")
    ] = None,
) -> NoReturn:
    """Append one webhook; 200 means that it is on disk, as an event or in quarantine."""
    # Described here only: `Application` sends webhooks to the receiver, past the framework.
    raise NotImplementedError
