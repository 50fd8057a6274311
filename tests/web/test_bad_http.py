"""What comes over the wire need not be HTTP, end, or be read; the service goes on."""

import json
import socket
from contextlib import suppress
from functools import partial
from itertools import count

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Running, Serve, error_of, eventually
from sockets import connected, exchange, parse, read_to_end, request, webhook

from dixa_state.web import server
from dixa_state.web.pages.frame import ASSETS

pytestmark = pytest.mark.usefixtures("nothing_fails", "serves_on")


@pytest.mark.parametrize(
    "sent",
    [
        b"\0" * 100,
        b"\r\n\r\nhello\r\n\r\n",
        b"EHLO example.com\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"get /healthz HTTP/1.1\r\n\r\n",
        b"BREW /healthz HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET /?\xff HTTP/1.1\r\n\r\n",
        b"GET http:// HTTP/1.1\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_no_http_is_refused(shared: Running, sent: bytes) -> None:
    [reply] = exchange(shared, sent)
    assert (reply.status, error_of(reply.body)) == (400, "invalid")
    assert reply.headers["connection"] == "close"


@given(raw=st.binary(min_size=1, max_size=200))
def test_any_bytes_are_refused_or_waited_for(shared: Running, raw: bytes) -> None:
    replies = exchange(shared, raw, hang_up=True)
    assert all(reply.status in (400, 404, 405) for reply in replies)


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /" + b"a" * 1_000, b"a" * 10_000),
        (b"GET /healthz?", b"a=b&" * 2_500),
        (b"GET /healthz HTTP/1.1\r\nX: ", b"x" * 10_000),
        (b"GET /healthz HTTP/1.1\r\n", b"X-Many: y\r\n" * 1_000),
        (
            b"POST /webhooks/dixa HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X: y\r\n" * 2_000,
        ),
    ],
    ids=["line", "query", "header", "headers", "trailers"],
)
def test_what_never_ends_is_ended(shared: Running, start: bytes, more: bytes) -> None:
    with connected(shared) as client:
        client.sendall(start)
        eventually(lambda: has_ended(client, more), seconds=5)


def has_ended(client: socket.socket, more: bytes) -> bool:
    """Tell, without reading, whether the other side takes no more."""
    try:
        client.sendall(more)
    except ConnectionError:
        return True
    return False


def test_endless_headers_are_refused_with_the_limit(shared: Running) -> None:
    line = b"X-Many: %b\r\n" % (b"y" * 1_000)  # too few lines for the limit of a hundred to speak
    [reply] = exchange(shared, b"GET /healthz HTTP/1.1\r\n" + line * 1_000)
    assert (reply.status, error_of(reply.body)) == (400, "invalid")
    assert b"at most 65536 bytes" in reply.body


def test_endless_headers_behind_live_updates_take_no_memory(
    shared: Running, day_lines: list[bytes]
) -> None:
    with connected(shared) as client:
        client.sendall(request("GET /v1/stream", last=False))
        begun = client.recv(65_536)
        assert begun.startswith(b"HTTP/1.1 200")
        while b"event: ready" not in begun:  # the head may come alone
            begun += client.recv(65_536)
        before = psutil.Process().memory_info().rss
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
        client.settimeout(1)
        with suppress(TimeoutError):  # it is held back until its stream has ended
            for _ in range(1_000):
                client.sendall(b"X: " + b"x" * 100_000 + b"\r\n")
        client.settimeout(15)
        assert psutil.Process().memory_info().rss - before < 50_000_000
        fresh = day_lines[0].replace(b"8b0492b4", b"behind")
        assert shared.post(fresh).json()["outcome"] == "appended"
        assert b"event: conversation" in client.recv(65_536)


def test_a_request_has_a_hundred_headers_at_most(shared: Running) -> None:
    for number, status in ((98, 200), (99, 400), (3_000, 400)):  # and two more that it needs
        [reply] = exchange(shared, request("GET /healthz", *(f"X-{n}: y" for n in range(number))))
        assert reply.status == status
    assert b"at most 100 headers" in reply.body


def test_headers_that_come_at_once_are_bounded_as_well(shared: Running) -> None:
    [reply] = exchange(shared, request("GET /healthz", "X: " + "x" * 70_000))
    assert (reply.status, error_of(reply.body)) == (400, "invalid")


@pytest.mark.parametrize("sent", [b"", b"GET /\r\n", b"GET /healthz HTTP/1.1\r\nX: y"])
def test_headers_that_do_not_come_in_time_are_given_up(
    shared: Running, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(server, "HEADER_TIMEOUT", 0.2)
    assert exchange(shared, sent) == []


def test_headers_that_come_drop_by_drop_are_given_up(
    shared: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADER_TIMEOUT", 0.3)
    with connected(shared) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
        eventually(lambda: has_ended(client, b"X: y\r\n"), seconds=5)


def test_pipelined_requests_are_answered_in_their_order(
    shared: Running, day_lines: list[bytes]
) -> None:
    asked = [request("GET /healthz", last=False), webhook(day_lines[0], last=False)] * 50
    replies = exchange(shared, b"".join(asked) + request("GET /nowhere"))
    assert [reply.status for reply in replies] == [200] * 100 + [404]
    assert [b"alive" in reply.body for reply in replies[:100]] == [True, False] * 50


def test_nonsense_behind_a_good_webhook_does_not_hide_its_answer(
    shared: Running, day_lines: list[bytes]
) -> None:
    reply, refused = exchange(shared, webhook(day_lines[5], last=False) + b"\0nonsense")
    assert (reply.status, refused.status) == (200, 400)
    assert json.loads(reply.body)["outcome"] in ("appended", "duplicate")


def test_a_client_that_leaves_while_its_requests_queue_does_no_harm(shared: Running) -> None:
    for _ in range(5):
        with connected(shared) as client:
            client.sendall(request("GET /v1/stats", last=False) * 200)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
    eventually(lambda: len(exchange(shared, request("GET /healthz"))) == 1)


@pytest.mark.parametrize(
    "framing",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: 5", "Content-Length: 44"],
        ["Content-Length: 5", "Content-Length: 5"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding : chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Content-Length: 5", "Transfer-Encoding: identity"],
    ],
    ids=", ".join,
)
def test_a_request_whose_end_is_in_doubt_smuggles_nothing(
    shared: Running, framing: list[str]
) -> None:
    hidden = request("GET /healthz")
    for body in (b"0\r\n\r\n" + hidden, b"5\r\nhello\r\n0\r\n\r\n" + hidden):
        sent = request("POST /webhooks/dixa", *framing, body=body, last=False)
        replies = exchange(shared, sent, hang_up=True)
        assert [reply.status for reply in replies] in ([400], [])


@pytest.mark.parametrize(
    "body",
    [
        b"5\nhello\n0\n\n",
        b"ZZ\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"f" * 17 + b"\r\nhello\r\n",
        b"5;" + b"\0" * 9 + b"\r\nhello\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
    ],
    ids=repr,
)
def test_chunks_that_are_none_are_refused(shared: Running, body: bytes) -> None:
    sent = request("POST /webhooks/dixa", "Transfer-Encoding: chunked", body=body)
    [reply] = exchange(shared, sent, hang_up=True)
    assert (reply.status, error_of(reply.body)) == (400, "invalid")


def test_a_body_where_none_belongs_is_read_past(shared: Running) -> None:
    asked = request("GET /healthz", "Content-Length: 30000", body=b"x" * 30_000, last=False)
    replies = exchange(shared, asked + asked + request("GET /healthz"))
    assert [reply.status for reply in replies] == [200] * 3


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_who_asks_for_another_protocol_is_answered_in_this_one(
    shared: Running, day_lines: list[bytes], protocol: str
) -> None:
    """Java's own client asks with every request, webhooks too, where there is no TLS."""
    asks = ["Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMA"]
    sent = webhook(day_lines[0], *asks, last=False)
    replies = exchange(shared, sent + sent + request("GET /healthz"))
    assert [reply.status for reply in replies] == [200] * 3
    with connected(shared) as client:
        client.sendall(sent[:-100])
        client.sendall(sent[-100:])
        client.sendall(request("GET /healthz", *asks, last=False) * 100 + request("GET /healthz"))
        assert [reply.status for reply in parse(read_to_end(client))] == [200] * 102


def test_a_client_that_does_not_read_is_dropped_and_others_are_served(
    shared: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "READ_TIMEOUT", 0.3)
    asks = request("GET /openapi.json", last=False)
    with connected(shared, receive_buffer=4_096) as client:
        client.sendall(asks * 300)
        assert shared.post(day_lines[0]).status_code == 200
        eventually(lambda: has_ended(client, asks))
    assert shared.get("/healthz") == {"alive": True}


def test_a_client_that_leaves_the_last_of_its_answers_unread_is_dropped_too(
    serve: Serve, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So little that nothing waits for it; and yet it would hold up the end of the server."""
    monkeypatch.setattr(server, "READ_TIMEOUT", 1.0)
    patient = serve(sqlite_url)
    answered = partial(patient.metric, "dixa_state_http_requests_total", method="GET", status="200")
    with connected(patient, receive_buffer=4_096) as client:
        for asked in count(1):
            client.sendall(request(f"GET {ASSETS}/htmx.min.js", last=False))  # 37 kB
            eventually(lambda asked=asked: answered(route="none") == asked)
            if holds_something_back(patient):
                break
        eventually(lambda: not patient.server.server_state.connections)


def holds_something_back(running: Running) -> bool:
    try:
        eventually(lambda: not left_unread(running), seconds=0.1)
    except AssertionError:
        return True
    return False


def left_unread(running: Running) -> int:
    connections = list(running.server.server_state.connections)
    return sum(connection.transport.get_write_buffer_size() for connection in connections)
