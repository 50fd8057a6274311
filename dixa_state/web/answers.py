"""Answers as JSON: one document, or a page of a list."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Generic, NotRequired, TypeVar

from fastapi import Request
from pydantic_core import to_json
from starlette.responses import Response
from typing_extensions import TypedDict

from dixa_state.domain.timestamps import format_time
from dixa_state.questions import Page
from dixa_state.web.errors import Error
from dixa_state.web.questions import next_page

T = TypeVar("T")
Shape = TypeVar("Shape")


class Meta(TypedDict):
    """Where a list goes on, the store position that it is of, and the moment that was asked for."""

    next: NotRequired[str]
    position: int
    as_of: str | None


class Listed(TypedDict, Generic[Shape]):
    """A page of a list."""

    data: list[Shape]
    meta: Meta


_CONFLICT = (
    "Values that contradict one another, the clock or the store; or several organizations have it."
)
REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "A value that cannot be; the message names it."},
    401: {"model": Error, "description": "No token that may read."},
    403: {"model": Error, "description": "Not from this machine, and no tokens are set."},
    404: {"model": Error, "description": "Nothing by that name, or nothing yet at that moment."},
    409: {"model": Error, "description": _CONFLICT},
    503: {"model": Error, "description": "Cannot be answered now; see `Retry-After`."},
}


def answer(document: Any) -> Response:
    """Answer with a document."""
    return Response(to_json(document, inf_nan_mode="null"), media_type="application/json")


def listed(
    request: Request,
    page: Page[T],
    shape: Callable[[T], Any],
    *,
    as_of: datetime | None = None,
) -> Response:
    """Answer with a page of a list."""
    meta: Meta = {"position": page.position, "as_of": format_time(as_of) if as_of else None}
    if page.next_key is not None:
        meta["next"] = next_page(request, page.next_key)
    return answer({"data": [shape(item) for item in page.items], "meta": meta})


def whole(request: Request, items: Iterable[Any], position: int) -> Response:
    """Answer with a list that has one page only."""
    return listed(request, Page(list(items), None, position), lambda item: item)
