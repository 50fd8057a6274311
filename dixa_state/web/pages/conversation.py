"""The page of one conversation: its life as a picture, its state by two clocks, its timeline."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any, Literal, NamedTuple, get_args

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from dixa_state.errors import NotFoundError
from dixa_state.questions import (
    Answer,
    Cause,
    Conversation,
    ConversationTransitions,
    OneConversation,
    Reader,
    StoredEvents,
    Timeline,
    TimelineStep,
    Why,
)
from dixa_state.questions.naming import labelled
from dixa_state.web.pages.frame import View, page, question
from dixa_state.web.pages.picture import draw_clocks, draw_life
from dixa_state.web.pages.session import Viewer
from dixa_state.web.service import TheService

router = APIRouter(include_in_schema=False, dependencies=[Viewer])

PAGE = 200
"""Groups of events on a page of the timeline."""

Depth = Literal["main", "all", "bodies"]
WhyField = Literal[
    "status",
    "dixa_status",
    "assignee",
    "queue",
    "requester",
    "subject",
    "tags",
    "custom_attributes",
    "sla",
    "ratings",
]
"""The fields that are shown, each with the event behind it where that is asked for."""

_MINOR = {"dixa_status", "custom_attributes"}
_PLANE = 200.0


class Shown(BaseModel):
    """The parts of the page that an address opens."""

    depth: Depth = "main"
    start: int = 0
    why: WhyField | None = None


@router.get("/conversations/{csid}")
async def show_conversation(
    service: TheService, request: Request, csid: int, shown: Annotated[Shown, Query()]
) -> Response:
    """Return the page."""
    return await service.run_query(request, lambda: _page(service.reader, request, csid, shown))


def _page(reader: Reader, request: Request, csid: int, shown: Shown) -> Response:
    view = View(request)
    asked = question(OneConversation, view, ("as_of", "known_at", "organization"), csid=csid)
    named = {"csid": csid, "organization": asked.organization}
    steps = list(reader.every(Timeline(**named)))
    clocks = {
        "as_of": Clock([step.at for step in steps], asked.as_of),
        "known_at": Clock([step.received_at for step in steps], asked.known_at),
    }
    state, before = _state(reader, asked), _state(reader, _before(asked, clocks))
    document = to_json(state, indent=2, inf_nan_mode="null").decode() if state else ""
    why = {**dict(asked), "field": shown.why}
    cause = reader.ask(Why.model_validate(why)) if state and shown.why else None
    now = reader.ask(asked.model_copy(update={"as_of": None, "known_at": None}))
    steps, state, before, now, cause = labelled((steps, state, before, now, cause))
    entries, start = list(_entries(steps, shown.depth)), shown.start
    return page(
        view,
        "conversation.html",
        now=now,
        asked=asked,
        state=state,
        fields=_fields(state, before) if state else [],
        cause=cause and (cause, _say_before(cause)),
        before=before,
        document=document,
        clocks=clocks,
        life=draw_life(steps, reader.every(ConversationTransitions(**named)), asked.as_of),
        plane=draw_clocks(steps, asked.as_of, asked.known_at, _PLANE),
        depth=shown.depth,
        entries=entries[start : start + PAGE],
        start=start,
        more=start + PAGE if len(entries) > start + PAGE else None,
        bodies=_bodies(reader, named) if shown.depth == "bodies" else {},
        seen={step.position for step in _seen(steps, asked)},
    )


class Clock:
    """The moments at which there is something to see, and the one that was asked for."""

    def __init__(self, times: Sequence[datetime], chosen: datetime | None) -> None:
        """Stop at each of these times, and now, which is None."""
        self.chosen = chosen
        self.stops = sorted({*times, *([chosen] if chosen else [])})

    @property
    def index(self) -> int:
        """The place of the chosen stop; now comes after all others."""
        return len(self.stops) if self.chosen is None else bisect_left(self.stops, self.chosen)

    @property
    def earlier(self) -> datetime | None:
        """The stop before."""
        return self.stops[self.index - 1] if self.index else None

    @property
    def later(self) -> datetime | None:
        """The stop after, None where that is now."""
        return self.stops[self.index + 1] if self.index + 1 < len(self.stops) else None


def _before(asked: OneConversation, clocks: Mapping[str, Clock]) -> OneConversation | None:
    """Return the question one stop earlier, on the clock that is set; now is the last event's."""
    clock = "known_at" if asked.as_of is None and asked.known_at is not None else "as_of"
    stops = clocks[clock].stops
    index = clocks[clock].index - (asked.as_of is None and asked.known_at is None)
    return asked.model_copy(update={clock: stops[index - 1]}) if index > 0 else None


def _state(reader: Reader, asked: OneConversation | None) -> Conversation | None:
    try:
        return reader.ask(asked) if asked else None
    except NotFoundError:
        return None  # nothing had happened then, or nothing was known of it


def _seen(steps: Sequence[TimelineStep], asked: OneConversation) -> list[TimelineStep]:
    """Return the events that the state was folded from."""
    return [
        step
        for step in steps
        if (asked.as_of is None or step.at <= asked.as_of)
        and (asked.known_at is None or step.received_at <= asked.known_at)
    ]


def _say_before(cause: Cause) -> str:
    """Return the value that a field had before, in words."""
    before = cause.before
    if cause.field == "custom_attributes" or not before:
        return say(before)
    values = before if isinstance(before, list) else [before]
    return ", ".join(_say_parts(one) if isinstance(one, dict) else say(one) for one in values)


class Field(NamedTuple):
    """A field of the state as people read it; `was` is its text at the stop before, if another."""

    name: str
    text: str
    since: datetime | None
    was: str | None


def _fields(state: Conversation, before: Conversation | None) -> list[Field]:
    """Return the fields that events change."""
    since = {
        "status": state.status_since,
        "assignee": state.assigned_at,
        "queue": state.enqueued_at,
    }
    made = []
    for name in get_args(WhyField):
        text, was = say(getattr(state, name)), say(getattr(before, name)) if before else None
        made.append(Field(name, text, since.get(name), was if was != text else None))
    return made


def say(value: Any) -> str:
    """Return a value of a field in words."""
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, list):
        counted = Counter(map(say, value))
        return ", ".join(
            f"{one} \N{MULTIPLICATION SIGN} {n}" if n > 1 else one for one, n in counted.items()
        )
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {say(one)}" for name, one in value.items())
    if isinstance(value, Answer):
        return _say_parts(value.model_dump())
    return str(value)


def _say_parts(given: Mapping[str, Any]) -> str:
    if "metric" in given:
        return " ".join(filter(None, (given["metric"] or given["policy"], given["status"])))
    if "score" in given:
        score = "" if given["score"] is None else f"{given['score']:g}"
        comment = f"“{given['comment']}”" if given["comment"] else ""
        return " ".join(filter(None, (given["type"], score, comment)))
    names = (given.get(name) for name in ("name", "email", "phone", "id"))
    return next(filter(None, names), "unnamed")


class Entry(NamedTuple):
    """An event in the timeline, or several of one kind that changed nothing."""

    step: TimelineStep
    number: int
    changes: list[tuple[str, str, str]]


def _entries(steps: Sequence[TimelineStep], depth: Depth) -> Iterator[Entry]:
    shown = [step for step in steps if depth != "main" or _matters(step)]
    for _, run in groupby(enumerate(shown), lambda item: _group(item[0], item[1], depth)):
        found = [step for _, step in run]
        changes = [
            (name, *_difference(change.before, change.after))
            for name, change in found[0].changes.items()
            if depth != "main" or not (name == "dixa_status" and "status" in found[0].changes)
        ]
        yield Entry(found[0], len(found), changes)


def _difference(before: Any, after: Any) -> tuple[str, str]:
    """Return both values in words; of lists only what is not in both."""
    if not isinstance(after, list):
        return say(before), say(after)
    old, new = Counter(map(say, before or [])), Counter(map(say, after))
    return ", ".join((old - new).elements()), ", ".join((new - old).elements())


def _matters(step: TimelineStep) -> bool:
    return bool(
        step.changes.keys() - _MINOR or step.details.get("text") or step.event in _MATTERING
    )


_MATTERING = (
    "conversation.message_added",
    "conversation.note_added",
    "conversation.message_delivery_failed",
)


def _group(number: int, step: TimelineStep, depth: Depth) -> str | int:
    """Return what neighbours must have in common to stand on one line."""
    plain = not step.changes and not step.details.get("text")
    return step.event if plain and depth == "all" else number


def _bodies(reader: Reader, named: dict[str, Any]) -> dict[int, str]:
    """Return the bodies by position, as they came."""
    return {stored.position: stored.body for stored in reader.every(StoredEvents(**named))}
