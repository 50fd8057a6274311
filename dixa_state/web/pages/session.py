"""Who may look at a page: by a bearer token, or by a cookie that was made with one."""

from datetime import datetime, timedelta
from hmac import compare_digest, digest
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from starlette.responses import Response

from dixa_state.web.access import Bearer, check_reader, log_reader
from dixa_state.web.policy import Policy, Token, digest_of
from dixa_state.web.service import TheService

COOKIE = "dixa_state_session"
LIFETIME = timedelta(days=30)


def session_of(request: Request, policy: Policy, now: datetime) -> Token | None:
    """Return the token that a request's cookie was made with, if it is set still."""
    issued, _, seal = request.cookies.get(COOKIE, "").partition(".")
    if not issued.isascii() or not issued.isdigit() or len(issued) > len("9999999999"):
        return None
    if not 0 <= now.timestamp() - int(issued) < LIFETIME.total_seconds():
        return None
    given = seal.encode()
    tokens = [t for t in policy.tokens if compare_digest(given, _seal(t.digest, issued))]
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


def sign_out(response: Response) -> None:
    """Delete the cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def _seal(token: bytes, issued: str) -> bytes:
    return digest(token, f"dixa_state session {issued}".encode(), "sha256").hex().encode()


def _is_secure(request: Request) -> bool:
    """Return whether the browser used TLS; a lie about it only keeps the liar's own cookie back."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))


async def require_viewer(request: Request, service: TheService, bearer: Bearer) -> None:
    """Raise `HTTPException` for a request that may not read, as the API does."""
    token = session_of(request, service.policy, service.tracker.now())
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
        origin = urlsplit(request.headers.get("origin", "")).netloc
        site = "same-origin" if origin == request.headers.get("host") else "unknown"
    if site != "same-origin":
        raise HTTPException(403, "expected a form that was sent from a page of this service")


SameOrigin = Depends(require_same_origin)


async def may_write(request: Request, service: TheService) -> bool:
    """Return whether somebody who has signed in with a writing token asks."""
    token = session_of(request, service.policy, service.tracker.now())
    return token is not None and token.may_write


MayWrite = Annotated[bool, Depends(may_write)]


async def require_writer(writes: MayWrite) -> None:
    """Raise `HTTPException` for a request that may not write."""
    if not writes:
        raise HTTPException(403, "expected somebody who has signed in with a writing token")


Writer = Depends(require_writer)
