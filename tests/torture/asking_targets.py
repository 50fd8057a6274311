"""Questions: query strings, page keys and search bodies, asked of a store that holds a day."""

import asyncio
import json
import logging
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from grounds import Grounds
from mutation import NASTY, parsed
from pydantic import ValidationError
from targets import DATA, LONGEST_MESSAGE, Target, refused

from dixa_state import Webhook
from dixa_state.asgi import open_application
from dixa_state.errors import InvalidInputError, NotFoundError
from dixa_state.questions import (
    Conversations,
    Page,
    PagedQuestion,
    Reader,
    Search,
    SearchBody,
    Timeline,
    paging,
)
from dixa_state.questions.question import describe_errors
from dixa_state.settings import Settings
from dixa_state.views.projector import Projector
from dixa_state.web.api import MAX_SEARCH_BODY
from dixa_state.web.server import MAX_HEADER_BYTES

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_FINE = (200, 400, 404)
_PAGES = (b"/", b"/audit", b"/sla", b"/operations")
_LONGEST_ANSWER = 4 << 20
_log = logging.getLogger("dixa_state.web")


class Asking(Target):
    """Begins with the example day in both databases."""

    def __init__(self, **urls: str) -> None:
        self._stack = ExitStack()
        grounds = self._stack.enter_context(Grounds(**urls))
        self._sqlite = grounds.url("sqlite")
        lines = (DATA / "day.jsonl").read_bytes().splitlines()
        self._readers = []
        for backend in ("sqlite", "postgres"):
            tracker, views = grounds.place(backend)  # type: ignore[arg-type]
            tracker.append_many([Webhook(line, NOON) for line in lines])
            assert Projector(tracker, views).catch_up()
            self._readers.append(Reader(tracker, views))

    def close(self) -> None:
        self._stack.close()


class PageKeys(Asking):
    """What a page key holds, sealed as one of ours, and as it is."""

    name = "keys"

    def seeds(self) -> Sequence[bytes]:
        after = [1772438400000000, "conversation/5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11/70431"]
        keys = [
            [45, after, None],
            [45, after, 1772438400000000],
            [3, [*after, 2], None],
            [0, [5], None],
        ]
        return [json.dumps(key, separators=(",", ":")).encode() for key in keys]

    def attempt(self, data: bytes) -> None:
        for question in (Conversations(), Timeline(csid=70431, page_limit=2)):
            sealed = paging._seal(data, question.asked) + data  # noqa: SLF001 — as a forger would
            keys = [urlsafe_b64encode(raw).decode().rstrip("=") for raw in (sealed, data)]
            for key in [*keys, data.decode("utf-8", "surrogateescape")]:
                for reader in self._readers:
                    _asked(reader, question.model_copy(update={"page_key": key}))


class Searches(Asking):
    """Search bodies."""

    name = "search"

    def seeds(self) -> Sequence[bytes]:
        found: list[Any] = [{}, {"query": {"value": "tent", "exactMatch": True}}]
        found += [_search(field, operator) for field, operator in _CONDITIONS]
        found += [
            {
                "filters": {
                    "strategy": "Any",
                    "conditions": [_condition(*one) for one in _CONDITIONS],
                }
            }
        ]
        return [json.dumps(body).encode() for body in found]

    def attempt(self, data: bytes) -> None:
        if len(data) > MAX_SEARCH_BODY:
            return
        try:
            body = SearchBody.model_validate_json(data)
        except ValidationError as error:
            message, _ = describe_errors(error.errors())
            refused(InvalidInputError(message))
            return
        pages = [_asked(reader, Search(body=body)) for reader in self._readers]
        kept = [page and [found.csid for found in page.items] for page in pages]
        assert kept[0] == kept[1], f"{kept[0]} on SQLite, {kept[1]} on PostgreSQL"


def _search(field: str, operator: dict[str, Any]) -> dict[str, Any]:
    return {"query": None, "filters": {"conditions": [_condition(field, operator)]}}


def _condition(field: str, operator: dict[str, Any]) -> dict[str, Any]:
    more = {"id": "country"} if field == "CustomAttribute" else {}
    return {"field": {"_type": field, "operator": operator, **more}}


_CONDITIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Status", {"_type": "IsOneOf", "values": ["Open", "closed", "AwaitingPending"]}),
    ("Channel", {"_type": "IsNotOneOf", "values": ["WidgetChat"]}),
    ("AgentId", {"_type": "IsEmpty"}),
    ("ConversationId", {"_type": "IsOneOf", "values": [70431, "70432"]}),
    ("TagId", {"_type": "IncludesAll", "values": ["delivery", "refund"]}),
    ("TagId", {"_type": "ExcludesOne", "values": ["delivery", "refund"]}),
    ("CreationDate", {"_type": "Between", "from": "2026-03-02", "to": "2026-03-03T10:00:00Z"}),
    ("ClosedDate", {"_type": "Since", "value": "2026-03-02"}),
    ("Duration", {"_type": "LongerThanOrEqualTo", "value": "PT1H"}),
    ("CustomAttribute", {"_type": "IncludesOne", "values": ["DK", 5, True]}),
)


class Requests(Asking):
    """Whole request targets, put to the application as the server puts them."""

    name = "requests"

    def __init__(self, **urls: str) -> None:
        super().__init__(**urls)
        _log.setLevel(logging.CRITICAL)  # it would tell of every refusal
        self._stack.callback(_log.setLevel, logging.NOTSET)
        self._loop = asyncio.new_event_loop()
        self._stack.callback(self._loop.close)
        settings = Settings(store=self._sqlite, allow_unsigned=True, _env_file=None)
        self._app = self._stack.enter_context(open_application(settings))
        running = self._app.service.running()
        self._loop.run_until_complete(running.__aenter__())
        self._stack.callback(
            lambda: self._loop.run_until_complete(running.__aexit__(None, None, None))
        )

    def seeds(self) -> Sequence[bytes]:
        return [text.encode() for text in _TARGETS]

    def changed(self, data: bytes, others: Sequence[bytes], dice: Random) -> bytes:
        """Half the time, give a parameter another value, or take one from another request."""
        if dice.random() < 0.5:
            return super().changed(data, others, dice)
        path, _, query = data.decode("latin-1").partition("?")
        given = parse_qsl(query) + parse_qsl(
            dice.choice(others).decode("latin-1").partition("?")[2]
        )
        if not given:
            return data
        name, value = dice.choice(given)
        value = str(dice.choice(NASTY)) if dice.random() < 0.8 else value
        kept = [one for one in parse_qsl(query) if one[0] != name or dice.random() < 0.1]
        return f"{path}?{urlencode([*kept, (name, value)])}".encode()

    def attempt(self, data: bytes) -> None:
        path, _, query = data.partition(b"?")
        if path.startswith(b"/v1/stream") or not _passes(data):
            return
        status, body = self.ask(path, query)
        if path in _PAGES:  # for people
            assert status in _FINE
            assert body.lower().startswith(b"<!doctype html>")
            return
        assert len(body) <= _LONGEST_ANSWER
        document = parsed(body)
        assert status in _FINE, f"{status}: {body[:500]!r}"
        if status != 200 and path.startswith(b"/v1"):
            assert len(document["error"]["message"]) <= LONGEST_MESSAGE
            assert list(document["error"]) == ["code", "message", "detail"]

    def ask(self, path: bytes, query: bytes) -> tuple[int, bytes]:
        """Ask, and give the status and the body of the answer."""
        return self._loop.run_until_complete(self._get(path, query))

    async def _get(self, path: bytes, query: bytes) -> tuple[int, bytes]:
        sent: list[dict[str, Any]] = []

        asked: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            return asked.pop() if asked else await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app(_scope(path, query), receive, send)  # type: ignore[arg-type]
        return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])


def _passes(target: bytes) -> bool:
    """Tell whether the server's parser lets a request target pass."""
    return (
        len(target) < MAX_HEADER_BYTES
        and target.startswith(b"/")
        and _VISIBLE.fullmatch(target) is not None
    )


_VISIBLE = re.compile(rb"[\x21-\x22\x24-\x7e]*")  # a # ends what is sent


def _scope(path: bytes, query: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path.decode()),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }


_TARGETS = (
    "/v1/conversations?status=open&status=closed&channel=EMAIL&tag=none&sort=-csid&pageLimit=3",
    "/v1/conversations?text=tent&created_since=2026-03-01&updated_until=2026-03-03T00:00:00Z",
    "/v1/conversations?as_of=2026-03-02T09:00:00Z&assignee=none&queue=Support&irregular=true",
    "/v1/conversations?sla=breached&requester=x@example.com&min_position=3&organization=o&pageKey=x",
    "/v1/conversations/70431?as_of=2026-03-02T09:00:00Z&known_at=2026-03-02T12:00:00Z",
    "/v1/conversations/70431/timeline?pageLimit=2&organization=5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11",
    "/v1/conversations/70431/transitions?as_of=2026-03-02T23:00:00%2B02:00",
    "/v1/conversations/70431/events?pageLimit=1",
    "/v1/transitions?from=open&to=closed&since=2026-03-01&until=2026-03-05&late=true&csid=70431",
    "/v1/sla?status=pending&due_before=2026-03-03&queue=none&agent=a&channel=none&tag=none",
    "/v1/sla/attainment?by=tag&tag=x",
    "/v1/stats?organization=",
    "/v1/stats/daily?since=2026-03-01&until=2026-03-05",
    "/v1/bans?banned=true&pageLimit=1",
    "/v1/endusers/x?organization=y",
    "/v1/conversations?as_of=0001-01-01T00:00:00Z&pageLimit=200",
    "/healthz?a=b",
    "/static/docs.css",
    "/docs",
)


def _asked(reader: Reader, question: PagedQuestion[Any]) -> Page[Any] | None:
    try:
        return reader.ask(question)
    except (InvalidInputError, NotFoundError) as error:  # before its first event there is none
        refused(error)
        return None
