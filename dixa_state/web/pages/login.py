"""Signing in with a reading token, and out."""

from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from dixa_state.web.bodies import headers_of
from dixa_state.web.pages.frame import View, page
from dixa_state.web.pages.session import SameOrigin, session_of, sign_in, sign_out
from dixa_state.web.service import TheService

MAX_FORM = 8 << 10

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def show_login(service: TheService, request: Request, to: str = "/") -> Response:
    """Return the form, unless there is nothing to sign in to."""
    policy = service.policy
    if session_of(request, policy, service.tracker.now()):
        return _redirect(request, to)
    return page(View(request), "login.html", to=to, message=None, needed=bool(policy.tokens))


@router.post("/login", dependencies=[SameOrigin])
async def login(service: TheService, request: Request) -> Response:
    """Set the cookie for a token that may read."""
    raw = await service.bodies.read(headers_of(request.scope), request.receive, MAX_FORM, form=True)
    try:
        form = parse_qs(raw.decode(), max_num_fields=10)
    except ValueError as error:
        raise HTTPException(400, "expected the fields of the form") from error
    token, to = (form.get(name, [""])[0] for name in ("token", "to"))
    if service.policy.reader_of(token.strip()) is None:
        message = "That token may not read. Ask whoever runs this service for one."
        needed = bool(service.policy.tokens)
        return page(View(request), "login.html", 401, to=to, message=message, needed=needed)
    response = _redirect(request, to)
    sign_in(request, response, token.strip(), service.tracker.now())
    return response


@router.post("/logout", dependencies=[SameOrigin])
async def logout(request: Request) -> Response:
    """Delete the cookie."""
    response = _redirect(request, "/login")
    sign_out(response)
    return response


def _redirect(request: Request, to: str) -> Response:
    """Redirect within this service only: anybody can write a link to the form."""
    inside = to.startswith("/") and not to.startswith(("//", "/\\"))
    return RedirectResponse(f"{request.app.state.root_path}{to if inside else '/'}", 303)
