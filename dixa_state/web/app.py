"""The application: what answers, what wraps it, and what runs beside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dixa_state.errors import DixaStateError
from dixa_state.web import api, description, operations, search, stream
from dixa_state.web.edge import WEBHOOKS, Edge, request_id
from dixa_state.web.errors import error_response, our_fault, refusal
from dixa_state.web.questions import told
from dixa_state.web.service import Service

PROBED = ("/", "/healthz", "/readyz", "/docs")
"""What is asked for by HEAD too."""


class Application:
    """The ASGI application of a service; its lifespan runs the service.

    Webhooks go straight to the receiver: the framework that serves the queries well takes several
    times as long to call it as it takes to do its work.
    """

    def __init__(self, service: Service) -> None:
        """Serve this service."""
        self.service = service
        self._api = _api(service)
        self._edge = Edge(self._lead, service.metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self._edge(scope, receive, send)

    async def _lead(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == WEBHOOKS:
            await self.service.receiver(scope, receive, send)
            return
        if scope.get("method") == "HEAD" and scope["path"] in PROBED:
            scope = {**scope, "method": "GET"}  # the server leaves out the body
        await self._api(scope, receive, send)


def _api(service: Service) -> FastAPI:
    app = FastAPI(
        title="dixa_state",
        summary="The state of Dixa conversations, at any moment, and how it is known.",
        version=version("dixa-state"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.service = service
    app.add_exception_handler(Exception, _failure)
    app.add_exception_handler(DixaStateError, _error)
    app.add_exception_handler(HTTPException, _error)
    app.add_exception_handler(RequestValidationError, _wrong_question)
    for part in (api, search, stream, operations, description):
        app.include_router(part.router)
    description.describe(app, guarded=bool(service.policy.tokens))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(service.running())
        except DixaStateError as error:
            service.failure = error  # `Server.startup` ends what has nothing to serve
        yield


async def _error(_request: Request, error: Exception) -> Response:
    return error_response(cast("DixaStateError | HTTPException", error))


async def _failure(request: Request, _error: Exception) -> Response:
    """Answer in our shape before the edge, to which the framework raises the error again."""
    return our_fault(request_id(request.scope))


async def _wrong_question(_request: Request, error: Exception) -> Response:
    message, detail = told(cast("RequestValidationError", error))
    return refusal(400, "invalid", message, detail=detail)
