"""The application: what answers, what wraps it, and what runs beside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dixa_state.errors import DixaStateError
from dixa_state.questions.question import describe_errors
from dixa_state.web import api, description, operations, server_sent_events
from dixa_state.web.errors import error_response, internal_error, render_error
from dixa_state.web.middleware import WEBHOOKS, RequestMiddleware, request_id
from dixa_state.web.service import Service

WITH_HEAD = ("/", "/healthz", "/readyz", "/docs")
"""What answers HEAD too."""


class Application:
    """The ASGI application of a service; its lifespan runs the service.

    Webhooks go past the framework, which takes several times as long to call a route as the
    receiver takes to do its work.
    """

    def __init__(self, service: Service) -> None:
        """Serve this service."""
        self.service = service
        self._api = _make_api(service)
        self._middleware = RequestMiddleware(self._dispatch, service.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self._middleware(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == WEBHOOKS:
            await self.service.receiver(scope, receive, send)
            return
        if scope.get("method") == "HEAD" and scope["path"] in WITH_HEAD:
            scope = {**scope, "method": "GET"}  # the server leaves out the body
        await self._api(scope, receive, send)


def _make_api(service: Service) -> FastAPI:
    app = FastAPI(
        title="dixa_state",
        summary="The state of Dixa conversations, at any moment, and how it is known.",
        description=description.INTRODUCTION,
        version=version("dixa-state"),
        openapi_url=None,  # `description` serves it and the page, each rendered once
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
    )
    app.state.service = service
    app.add_exception_handler(Exception, _internal_error)
    app.add_exception_handler(DixaStateError, _error)
    app.add_exception_handler(HTTPException, _error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    for module in (description, api, server_sent_events, operations):
        app.include_router(module.router)
    description.describe(app, guarded=bool(service.policy.tokens))
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(service.running())
        except DixaStateError as error:
            service.failure = error  # `Server.startup` stops what has nothing to serve
        yield


async def _error(_request: Request, error: Exception) -> Response:
    return error_response(cast("DixaStateError | HTTPException", error))


async def _internal_error(request: Request, _error: Exception) -> Response:
    """Answer in the usual shape before the middleware, to which the framework raises it again."""
    return internal_error(request_id(request.scope))


async def _invalid_request(_request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    message, detail = describe_errors(found, skip=1)
    return render_error(400, "invalid", message, detail=detail)
