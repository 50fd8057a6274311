"""The application: what answers, what wraps it, and what runs beside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import cast
from urllib.parse import unquote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dixa_state.errors import DixaStateError, StoreError
from dixa_state.questions.question import describe_errors
from dixa_state.web import api, description, operations, server_sent_events
from dixa_state.web.errors import error_response, internal_error, render_error
from dixa_state.web.middleware import WEBHOOKS, RequestMiddleware, add_log_fields, request_id
from dixa_state.web.pages import routes as pages
from dixa_state.web.pages.frame import ASSETS, Assets
from dixa_state.web.service import Service

RECEIVING = (WEBHOOKS, "/healthz", "/readyz", "/metrics", "/operations")
"""What the process of the webhooks answers, if readers have one of their own: what tells how it is
doing, too."""

WITH_HEAD = ("/", "/healthz", "/readyz", "/docs")
"""What answers HEAD too."""


class Application:
    """The ASGI application of a service; its lifespan runs the service.

    Webhooks go past the framework, which takes several times as long to call a route as the
    receiver takes to do its work.
    """

    def __init__(self, service: Service, root_path: str = "", cors_origins: str = "") -> None:
        """Serve this service; links begin with `root_path`, which requests may have or not."""
        self.service = service
        self._root_path = root_path
        self._api = _make_api(service, root_path)
        app: ASGIApp = RequestMiddleware(self._dispatch, service.metrics)
        if origins := [origin.strip() for origin in cors_origins.split(",") if origin.strip()]:
            app = CORSMiddleware(app, origins, allow_headers=["Authorization", "Last-Event-ID"])
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        prefix = self._root_path
        if prefix and f"{scope.get('path', '')}/".startswith(f"{prefix}/"):
            scope["path"] = scope["path"].removeprefix(prefix) or "/"
        await self._app(scope, receive, send)

    def receives(self, target: bytes) -> bool:
        """Return whether a request for this target belongs to the process of the webhooks."""
        path = unquote(target.partition(b"?")[0].decode("latin-1"))
        if not path.startswith("/"):  # it names the host, as a request to a proxy does
            path = "/" + path.partition("//")[2].partition("/")[2]
        return path.removeprefix(self._root_path).startswith(RECEIVING)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == WEBHOOKS:
            await self.service.receiver(scope, receive, send)
            return
        if scope.get("method") == "HEAD" and scope["path"] in WITH_HEAD:
            scope = {**scope, "method": "GET"}  # the server leaves out the body
        await self._api(scope, receive, send)


def _make_api(service: Service, root_path: str) -> FastAPI:
    app = FastAPI(
        title="dixa_state",
        summary="The state of Dixa conversations, at any moment, and how it is known.",
        description=description.INTRODUCTION,
        version=version("dixa-state"),
        openapi_url=None,  # `description` serves it and the page, each rendered once
        servers=[{"url": root_path}] if root_path else None,
        redirect_slashes=False,
        lifespan=_lifespan,
        # Built with their modules, once: `include_router` builds each of them again.
        routes=[
            *description.router.routes,
            *api.router.routes,
            *server_sent_events.router.routes,
            *operations.router.routes,
            *pages.ROUTES,
        ],
    )
    app.state.service, app.state.root_path = service, root_path
    app.add_exception_handler(Exception, _internal_error)
    app.add_exception_handler(DixaStateError, _error)
    app.add_exception_handler(HTTPException, _error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.mount(ASSETS, Assets())
    description.describe(app, root_path, guarded=bool(service.policy.tokens))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(service.running())
        except DixaStateError as error:
            service.failure = error  # `Server.startup` stops what has nothing to serve
        yield


async def _error(request: Request, error: Exception) -> Response:
    if isinstance(error, StoreError):
        add_log_fields(request.scope, lambda: {"why": str(error)})
    return pages.for_reader(request, error_response(cast("DixaStateError | HTTPException", error)))


async def _internal_error(request: Request, _error: Exception) -> Response:
    """Answer in the usual shape before the middleware, to which the framework raises it again."""
    return pages.for_reader(request, internal_error(request_id(request.scope)))


async def _invalid_request(request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    message, detail = describe_errors(found, skip=1)
    return pages.for_reader(request, render_error(400, "invalid", message, detail=detail))
