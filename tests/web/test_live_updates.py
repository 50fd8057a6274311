"""The live stream: what changes is told as it is projected, to all who listen or come back."""

import json
import re
import selectors
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from html import unescape
from itertools import islice
from time import monotonic, sleep
from typing import Any, NamedTuple

import psycopg
import pytest
from servers import Running, Serve, eventually
from sockets import connected, request

from dixa_state.web import executor, live_updates, server, server_sent_events
from dixa_state.web.pages import live
from dixa_state.web.server import raise_file_limit

pytestmark = pytest.mark.usefixtures("nothing_fails")

HOME = b"5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"


class Told(NamedTuple):
    """An event of a stream, or a comment."""

    id: int
    event: str
    data: Any


@contextmanager
def listening(
    running: Running, *, since: int | None = None, **query: Any
) -> Iterator[Iterator[Told]]:
    headers = {} if since is None else {"Last-Event-ID": str(since)}
    with running.client.stream("GET", "/v1/stream", params=query, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield told(answer.iter_lines())


def told(lines: Iterator[str]) -> Iterator[Told]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif line:
            yield Told(-1, "comment", value)
        else:
            if "event" in fields:
                yield Told(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}


def changes(events: Iterator[Told], until: dict[int, int]) -> list[Told]:
    """Take what is told until each conversation has come in its version."""
    taken, seen = [], {}
    for event in events:
        if event.event == "conversation":
            taken.append(event)
            seen[event.data["csid"]] = event.data["version"]
            if seen.items() >= until.items():
                return taken
    raise AssertionError(seen)


def versions(running: Running) -> dict[int, int]:
    listed = running.get("/v1/conversations", pageLimit=200)["data"]
    return {document["csid"]: document["version"] for document in listed}


def at_rest(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what goes on while nothing happens."""
    return {name: value for name, value in document.items() if name != "durations"}


def days(lines: list[bytes], number: int) -> list[bytes]:
    return [line.replace(HOME, b"org-%d" % number) for line in lines]


def test_changes_come_as_they_are_projected_and_as_they_can_be_asked_for(
    server: Running, day_lines: list[bytes]
) -> None:
    with listening(server) as events:
        assert next(events) == (0, "ready", {"position": 0})
        server.send(day_lines)
        taken = changes(events, versions(server))
    assert [event.id for event in taken] == sorted({event.id for event in taken})
    assert all(event.id == event.data["position"] for event in taken)
    latest = {event.data["csid"]: event.data for event in taken}
    for csid, document in latest.items():
        assert at_rest(document) == at_rest(server.get(f"/v1/conversations/{csid}"))
        assert document["durations"].keys() == {
            *server.get(f"/v1/conversations/{csid}")["durations"]
        }


def test_a_stream_that_resumes_misses_no_conversation(
    server: Running, day_lines: list[bytes]
) -> None:
    with listening(server) as events:
        server.send(day_lines[:20])
        before = changes(events, versions(server))
    known = {event.data["csid"]: event.data for event in before}
    server.send(day_lines[20:])
    with listening(server, since=before[-1].id) as events:
        assert next(events).data == {"position": before[-1].id}
        due = {c: v for c, v in versions(server).items() if v != known.get(c, {}).get("version")}
        again = changes(events, due)
    assert {event.data["csid"]: event.data["version"] for event in again} == due
    assert len(again) == len(due)


def test_a_stream_begins_now_though_nobody_has_followed_the_views_meanwhile(
    server: Running, day_lines: list[bytes]
) -> None:
    newest = max(server.post(line).json()["position"] for line in day_lines)
    eventually(lambda: server.client.get("/readyz").json()["views_position"] == newest)
    for _ in range(2):  # the second one finds it followed
        with listening(server) as events, listening(server) as others:
            assert next(events) == (newest, "ready", {"position": newest})
            assert next(others) == (newest, "ready", {"position": newest})


def test_a_stream_can_begin_with_all_there_is(server: Running, day_lines: list[bytes]) -> None:
    server.send(day_lines)
    for after in ({"after": 0}, {"since": 0}):
        with listening(server, **after) as events:
            taken = changes(events, versions(server))
        assert {event.data["csid"]: event.data["version"] for event in taken} == versions(server)
        assert len(taken) == len(versions(server))


def test_who_is_far_behind_is_told_what_is_kept_no_longer(
    sqlite_server: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_updates, "MAX_RECENT", 3)
    monkeypatch.setattr(live_updates, "PAGE_SIZE", 2)
    with listening(sqlite_server) as events:
        sqlite_server.send(day_lines)
        taken = changes(events, versions(sqlite_server))
    assert {event.data["csid"] for event in taken} == versions(sqlite_server).keys()


def test_who_is_behind_while_too_many_read_waits_for_a_turn(
    sqlite_server: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_server.send(day_lines)
    at_hand = versions(sqlite_server)
    with monkeypatch.context() as crowded:
        crowded.setattr(live_updates, "_PAUSE", 0.05)
        crowded.setattr(executor, "MAX_QUERIES", 0)
        with listening(sqlite_server, after=0) as events:
            assert next(events).event == "ready"
            sleep(0.3)
            crowded.setattr(executor, "MAX_QUERIES", 100)
            assert {one.data["csid"] for one in changes(events, at_hand)} == at_hand.keys()


def test_the_id_of_the_last_event_goes_before_the_query(
    sqlite_server: Running, day_lines: list[bytes]
) -> None:
    """A browser that reconnects asks for the address that it began with."""
    position = sqlite_server.send(day_lines)
    with listening(sqlite_server, since=position, after=0) as events:
        assert next(events).data == {"position": position}


@pytest.mark.parametrize("wrong", ["x", "-1", "1.5", "9" * 30, "1 2", "0x1", "\u0661"])
def test_an_id_that_no_event_can_have_is_refused(shared: Running, wrong: str) -> None:
    answer = shared.client.get("/v1/stream", headers={"Last-Event-ID": wrong.encode()})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")


def test_silence_is_broken_by_a_comment(
    sqlite_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_updates, "HEARTBEAT", 0.05)
    with listening(sqlite_server) as events:
        kinds = [event.event for event in islice(events, 4)]
    assert kinds == ["ready", "comment", "comment", "comment"]


def test_a_row_that_cannot_be_read_holds_the_streams_up_until_it_is_mended(
    sqlite_server: Running, day_lines: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_server.send(day_lines[:1])
    with sqlite_server.service.reader.views.transaction() as connection:
        [(good,)] = connection.run("SELECT state FROM conversations")
    with listening(sqlite_server, after=1) as events:
        change_row(sqlite_server, state=b"\0", position=2)
        eventually(lambda: "live updates start again" in caplog.text)
        change_row(sqlite_server, state=good, position=1)
        sqlite_server.post(day_lines[1].replace(b"70431", b"70499"))
        assert changes(events, {70499: 1})
    caplog.clear()


def change_row(running: Running, *, state: bytes, position: int) -> None:
    with running.service.reader.views.transaction(write=True) as connection:
        sql = "UPDATE v1_conversations SET state = :state, position = :position"
        connection.run(sql, state=state, position=position)


def test_a_reader_that_does_not_read_is_dropped_and_others_hear_everything(
    sqlite_server: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "READ_TIMEOUT", 2.0)
    subject = b'"subject":"%s"' % (b"x" * 200_000)
    large = day_lines[0].replace(b'"subject":null', subject)
    assert len(large) > 200_000
    with (
        connected(sqlite_server, receive_buffer=4_096) as deaf,
        listening(sqlite_server) as events,
        ThreadPoolExecutor(1) as thread,
    ):
        deaf.sendall(request("GET /v1/stream", last=False))
        eventually(lambda: sqlite_server.service.live_updates.subscribers == 2)
        bodies = [
            large.replace(b"70431", b"%d" % n).replace(b"8b04", b"%04d" % n) for n in range(1, 41)
        ]
        heard = thread.submit(changes, events, dict.fromkeys(range(1, 41), 1))
        sqlite_server.send(bodies)
        assert len(heard.result()) == 40
        eventually(lambda: sqlite_server.service.live_updates.subscribers == 1)


def test_there_is_room_for_so_many_and_the_next_one_is_told_to_come_back(
    sqlite_server: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_sent_events, "MAX_SUBSCRIBERS", 2)
    with listening(sqlite_server) as first:
        next(first)
        with listening(sqlite_server) as second:
            next(second)
            answer = sqlite_server.client.get("/v1/stream")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["error"]["code"] == "overloaded"
            assert sqlite_server.post(day_lines[0]).status_code == 200
        eventually(lambda: sqlite_server.service.live_updates.subscribers == 1)
        with listening(sqlite_server) as third:
            assert next(third).event == "ready"


def test_streams_end_when_the_service_does(server: Running, day_lines: list[bytes]) -> None:
    with listening(server) as events, listening(server, after=0) as others:
        next(events)
        server.send(day_lines[:1])
        started = monotonic()
        server.server.handle_exit(15, None)
        assert [event.event for event in events] == ["conversation"]
        assert [event.event for event in others] == ["ready", "conversation"]
        assert monotonic() - started < 10


def test_a_board_ends_with_the_service_whenever_it_would_look_next(
    sqlite_server: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAUSE", 60)
    sqlite_server.send(day_lines)
    page = sqlite_server.client.get("/?status=any", headers={"Accept": "text/html"}).text
    [address] = map(unescape, re.findall(r'hx-sse:connect="([^"]*)"', page))
    with sqlite_server.client.stream("GET", f"{address}&after=0") as board:
        lines = board.iter_lines()
        while not next(lines).startswith("data: <hx-partial"):
            pass  # until it has looked once
        started = monotonic()
        sqlite_server.server.handle_exit(15, None)
        list(lines)
        assert monotonic() - started < 10


@pytest.mark.parametrize("count", [600, pytest.param(1_000, marks=pytest.mark.long)])
def test_hundreds_of_streams_hear_of_a_change_while_webhooks_are_answered(
    serve: Serve,
    sqlite_url: str,
    day_lines: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    raise_file_limit()  # each stream takes two of the usual 1,024: this process has both its ends
    monkeypatch.setattr(server_sent_events, "MAX_SUBSCRIBERS", count)
    running = serve(sqlite_url)
    with ExitStack() as all_of_them, selectors.DefaultSelector() as selector:
        for _ in range(count):
            client = all_of_them.enter_context(connected(running))
            client.sendall(request("GET /v1/stream", last=False))
            selector.register(client, selectors.EVENT_READ)
        eventually(lambda: running.service.live_updates.subscribers == count)
        started = monotonic()
        for number in range(5):
            for line in days(day_lines[:4], number):
                assert running.post(line).status_code == 200
        last = f"id: {running.service.reader.newest()}\n".encode()
        hear(selector, last)
        assert monotonic() - started < 30
    eventually(lambda: running.service.live_updates.subscribers == 0)


def hear(selector: selectors.BaseSelector, last: bytes) -> None:
    """Read from every stream until it has told of the last change."""
    heard: dict[socket.socket, bytes] = {}
    while selector.get_map():
        ready = selector.select(timeout=10)
        assert ready, "some have not heard of it"
        for key, _ in ready:
            client: socket.socket = key.fileobj  # type: ignore[assignment]
            heard[client] = heard.get(client, b"")[-100:] + client.recv(1 << 20)
            if last in heard[client]:
                selector.unregister(client)


def test_an_id_that_another_process_told_is_kept_and_one_of_another_store_is_not(
    serve: Serve, postgres_url: str, day_lines: list[bytes]
) -> None:
    server = serve(postgres_url)
    server.send(day_lines[:20])
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT * FROM projection FOR UPDATE")  # the views stay where they are
        ahead = server.post(day_lines[20]).json()["position"]
        for since, begin in ((ahead, ahead), (ahead + 1, 20), (7, 7)):
            with listening(server, since=since) as events:
                assert next(events) == (begin, "ready", {"position": begin})
