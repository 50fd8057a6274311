"""The pages as part of the application, and errors as pages for those who ask as people do."""

from urllib.parse import urlencode

from fastapi import Request
from pydantic_core import from_json
from starlette.responses import RedirectResponse, Response

from dixa_state.web.pages import audit, board, conversation, operations, session, sla
from dixa_state.web.pages.frame import View, page, wants_page

_UNAUTHENTICATED = 401
_KEPT = ("allow", "connection", "retry-after")


ROUTES = tuple(
    route
    for module in (session, board, conversation, audit, sla, operations)
    for route in module.router.routes
)


def for_reader(request: Request, error: Response) -> Response:
    """Return an error as a page if a person asked; who has to sign in first is sent there."""
    if not wants_page(request):
        return error
    view = View(request)
    if error.status_code == _UNAUTHENTICATED:
        asked = f"{view.path}?{urlencode(view.query)}" if view.query else view.path
        return RedirectResponse(view.url("/login", to=asked), 303)
    message = from_json(bytes(error.body))["error"]["message"]
    status = error.status_code
    response = page(view, "error.html", status, message=message, status=status)
    response.headers.update({name: error.headers[name] for name in _KEPT if name in error.headers})
    return response
