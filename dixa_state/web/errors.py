"""The shape of errors, and the HTTP status of each class of them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from typing_extensions import TypedDict

from dixa_state import errors
from dixa_state.errors import DixaStateError, SignatureError, StoreError

UNAVAILABLE = 503

UNUSABLE = "the store cannot be used now; the log says why"
"""All that is shown to strangers: what a database says may name hosts and users."""

RETRY_AFTER = "1"
"""Seconds after which to try again what cannot be done now."""

_STATUS: dict[type[DixaStateError], tuple[int, str]] = {
    errors.UnknownNameError: (400, "unknown_name"),
    errors.NotFoundError: (404, "not_found"),
    errors.AmbiguousError: (400, "ambiguous"),
    errors.InvalidInputError: (400, "invalid"),
    SignatureError: (401, "unauthenticated"),
    errors.OverloadedError: (UNAVAILABLE, "overloaded"),
    errors.StoreUnavailableError: (UNAVAILABLE, "unavailable"),
    errors.SchemaError: (UNAVAILABLE, "schema"),
    errors.UnfoldableEventError: (500, "unfoldable"),
    StoreError: (UNAVAILABLE, "unavailable"),
}
_CODES = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_media_type",
    500: "internal",
}
_MESSAGES = {
    "Not Found": "expected one of the addresses that /docs lists",
    "Method Not Allowed": "expected one of the methods in the header Allow",
}


class ErrorDetails(TypedDict):
    """What went wrong: a stable word, a message for people, and details where there are any."""

    code: Annotated[str, Field(description="A stable word.")]
    message: Annotated[str, Field(description="What was expected, and what came.")]
    detail: Annotated[Any, Field(description="More, where there is more to say.")]


class Error(TypedDict):
    """The shape of every error."""

    error: Annotated[ErrorDetails, Field(description="What went wrong.")]


# Named rather than given as a model, of which FastAPI makes a validator for each route: that takes
# a fifth of the time in which the service starts. The webhooks' route adds the schema itself.
_ERROR = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Error.__name__}"}}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {
        "content": _ERROR,
        "description": "A value that cannot be, or not together with the others, or not now; or an "
        "unknown name; or several organizations have what is asked for. The message says which.",
    },
    401: {"content": _ERROR, "description": "No token that may read."},
    403: {"content": _ERROR, "description": "Not from this machine, and no tokens are set."},
    404: {"content": _ERROR, "description": "Nothing by that name, or nothing yet at that moment."},
    503: {"content": _ERROR, "description": "Cannot be answered now; see `Retry-After`."},
}
SEARCH_REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"content": _ERROR, "description": "The body did not come in time."},
    413: {"content": _ERROR, "description": "The body is too large."},
    415: {"content": _ERROR, "description": "The body is compressed, or not declared as JSON."},
}


def code_of(error: DixaStateError | HTTPException) -> str:
    """Return the stable word for an error."""
    return _status_and_code(error)[1]


def error_response(error: DixaStateError | HTTPException) -> Response:
    """Return the response to an error.

    What is wrong with a signature stays in the log, and so does what a driver said.
    """
    status, code = _status_and_code(error)
    if isinstance(error, HTTPException):
        message = _MESSAGES.get(error.detail, error.detail)
        return render_error(status, code, message, headers=error.headers)
    if isinstance(error, SignatureError):
        return render_error(status, code, "expected a webhook that Dixa signed")
    hidden = isinstance(error, StoreError) and error.__cause__ is not None
    return render_error(status, code, UNUSABLE if hidden else str(error))


def internal_error(request_id: str) -> Response:
    """Return the response to a failure of the program."""
    return render_error(500, "internal", f"a failure of this service; see {request_id} in its log")


def render_error(
    status: int,
    code: str,
    message: str,
    *,
    detail: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error in the one shape."""
    content: Error = {"error": {"code": code, "message": message, "detail": detail}}
    more = {"Retry-After": RETRY_AFTER} if status == UNAVAILABLE else {}
    return Response(
        to_json(content), status, {**more, **(headers or {})}, media_type="application/json"
    )


def _status_and_code(error: DixaStateError | HTTPException) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.status_code, _CODES.get(error.status_code, "error")
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
