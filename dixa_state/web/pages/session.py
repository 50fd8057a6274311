"""Who may look at a page, by a bearer token or a cookie made with one; signing in, and out."""

from datetime import datetime, timedelta
from hmac import compare_digest, digest
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from dixa_state.web.access import Bearer, check_reader, log_reader
from dixa_state.web.bodies import headers_of
from dixa_state.web.pages.frame import COOKIE, View, page
from dixa_state.web.policy import Token, digest_of
from dixa_state.web.service import Service, TheService

LIFETIME = timedelta(days=30)
MAX_FORM = 8 << 10

router = APIRouter(include_in_schema=False)


def session_of(request: Request, service: Service) -> Token | None:
    """Return the token that a request's cookie was made with, if it is set still."""
    issued, _, seal = request.cookies.get(COOKIE, "").partition(".")
    if not issued.isascii() or not issued.isdigit() or len(issued) > len("9999999999"):
        return None
    age = service.tracker.now().timestamp() - int(issued)
    if not 0 <= age < LIFETIME.total_seconds():
        return None
    given = seal.encode()
    tokens = [t for t in service.policy.tokens if compare_digest(given, _seal(t.digest, issued))]
    return tokens[0] if tokens else None


def sign_in(request: Request, response: Response, token: str, now: datetime) -> None:
    """Set the cookie: the time, sealed with the token's digest, so that it ends with the token."""
    issued = str(int(now.timestamp()))
    response.set_cookie(
        COOKIE,
        f"{issued}.{_seal(digest_of(token), issued).decode()}",
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )


def _seal(token: bytes, issued: str) -> bytes:
    return digest(token, f"dixa_state session {issued}".encode(), "sha256").hex().encode()


def _is_secure(request: Request) -> bool:
    """Return whether the browser used TLS; a lie about it only keeps the liar's own cookie back."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))


async def require_viewer(request: Request, service: TheService, bearer: Bearer) -> None:
    """Raise `HTTPException` for a request that may not read, as the API does."""
    token = session_of(request, service)
    if token is not None:
        log_reader(request, token.name)
        return
    check_reader(request, service.policy, bearer.credentials if bearer else None)


Viewer = Depends(require_viewer)


async def require_same_origin(request: Request) -> None:
    """Raise `HTTPException` for a form that another site's page sent.

    Browsers say so in `Sec-Fetch-Site`, but over plain HTTP only in `Origin`.
    """
    site = request.headers.get("sec-fetch-site")
    if site is None:
        origin = _host_of(request.headers.get("origin", ""))
        site = "same-origin" if origin == request.headers.get("host") else "unknown"
    if site != "same-origin":
        raise HTTPException(403, "expected a form that was sent from a page of this service")


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # such as of a bracket that nothing closes
        return None


SameOrigin = Depends(require_same_origin)


async def may_write(request: Request, service: TheService) -> bool:
    """Return whether somebody who has signed in with a writing token asks."""
    token = session_of(request, service)
    return token is not None and token.may_write


MayWrite = Annotated[bool, Depends(may_write)]


async def require_writer(writes: MayWrite) -> None:
    """Raise `HTTPException` for a request that may not write."""
    if not writes:
        raise HTTPException(403, "expected somebody who has signed in with a writing token")


Writer = Depends(require_writer)


@router.get("/login")
async def show_login(service: TheService, request: Request, to: str = "/") -> Response:
    """Return the form, unless there is nothing to sign in to."""
    if session_of(request, service):
        return _redirect(request, to)
    needed = bool(service.policy.tokens)
    return page(View(request), "login.html", to=to, message=None, needed=needed)


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
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _redirect(request: Request, to: str) -> Response:
    """Redirect within this service only: anybody can write a link to the form."""
    inside = to.startswith("/") and not to.startswith(("//", "/\\"))
    return RedirectResponse(f"{request.app.state.root_path}{to if inside else '/'}", 303)
