"""Whether a request may read: by its token, or because it comes from this machine."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dixa_state.web.middleware import add_log_fields
from dixa_state.web.policy import Policy, came_through_proxy, names_loopback
from dixa_state.web.service import TheService

_LOGGED = ("csid", "position")
"""What the log says of the path: numbers only, since an end user's id may be an email address."""

_SCHEME = HTTPBearer(
    auto_error=False, description="One of the tokens in `DIXA_STATE_API_TOKENS`, if any is set."
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]


async def require_reader(request: Request, service: TheService, bearer: Bearer) -> None:
    """Raise `HTTPException` for a request whose bearer token may not read."""
    token = bearer.credentials if bearer else None
    if token is None and request.url.path.endswith("/stream"):
        token = request.query_params.get("access_token")
    check_reader(request, service.policy, token)


def check_reader(request: Request, policy: Policy, token: str | None) -> None:
    """Raise `HTTPException` for a request that may not read.

    Without tokens everyone on this machine may, but neither a web page that leads a browser here by
    a name of its own (DNS rebinding) nor a stranger whom a proxy lets through: the request must
    name this machine, and must have come from it.
    """
    if policy.tokens:
        name = policy.reader_of(token)
        if name is None:
            raise HTTPException(
                401,
                "expected a bearer token that may read",
                {"WWW-Authenticate": 'Bearer realm="dixa_state"'},
            )
        log_reader(request, name)
        return
    if came_through_proxy(request.headers.keys()):
        raise HTTPException(
            403, "expected a request without a proxy in between, as long as no API tokens are set"
        )
    host = ",".join(request.headers.getlist("host"))
    if not names_loopback(host):
        raise HTTPException(
            403, f"Host: expected localhost, as long as no API tokens are set, got {host[:80]!r}"
        )


def log_reader(request: Request, name: str | None) -> None:
    """Add to the log who asked, and for what."""
    asked = {name: request.path_params.get(name) for name in _LOGGED}
    add_log_fields(request.scope, lambda: {"reader": name, **asked})


Reader = Depends(require_reader)
