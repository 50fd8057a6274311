"""Answers as JSON: one document, or a page of a list."""

from typing import Annotated, Any, NotRequired

from pydantic import Field
from pydantic_core import to_json
from starlette.responses import Response
from typing_extensions import TypedDict

from dixa_state.web.errors import Error


class Meta(TypedDict):
    """Where a list goes on, the store position that it is of, and the moment asked for."""

    next: Annotated[NotRequired[str], Field(description="The next page; absent on the last.")]
    position: Annotated[int, Field(description="The store position that the list is of.")]
    as_of: Annotated[str | None, Field(description="The moment asked for, in event time.")]
    known_at: Annotated[str | None, Field(description="The same in receipt time.")]


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


def answer(document: Any) -> Response:
    """Return a response with a document."""
    return Response(to_json(document, inf_nan_mode="null"), media_type="application/json")
