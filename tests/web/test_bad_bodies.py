"""Bodies that are too large, too slow, cut off, or of another kind."""

import gzip
import select
from contextlib import ExitStack
from time import sleep

import pytest
from servers import Running, Serve, error_of, eventually, signed
from sockets import chunked, connected, exchange, parse, read_to_end, request, webhook

from dixa_state.web import bodies

pytestmark = pytest.mark.usefixtures("nothing_fails", "serves_on")

LIMIT = 1 << 20


def refused(running: Running, reason: str) -> float:
    return running.metric("dixa_state_webhooks_refused_total", reason=reason)


def test_a_body_in_chunks_is_as_good_as_any(shared: Running, day_lines: list[bytes]) -> None:
    [reply] = exchange(shared, webhook(day_lines[2], "Transfer-Encoding: chunked", sized=False))
    assert reply.status == 200
    split = (day_lines[3][at : at + 7] for at in range(0, len(day_lines[3]), 7))
    answer = shared.client.post("/webhooks/dixa", content=split, headers=signed(day_lines[3]))
    assert answer.status_code == 200


def test_a_client_may_ask_whether_to_send_its_body(shared: Running, day_lines: list[bytes]) -> None:
    first, second = exchange(shared, webhook(day_lines[0], "Expect: 100-continue"))
    assert (first.status, second.status) == (100, 200)


def test_a_client_that_hangs_up_within_its_body_leaves_nothing(
    shared: Running, day_lines: list[bytes]
) -> None:
    newest, before = shared.service.reader.newest(), refused(shared, "invalid")
    whole = webhook(day_lines[4])
    with connected(shared) as client:
        client.sendall(whole[:-10])
    assert exchange(shared, whole[:-10], hang_up=True) == []
    parts = webhook(day_lines[4], "Transfer-Encoding: chunked", sized=False)
    assert exchange(shared, parts[:-7], hang_up=True) == []
    eventually(lambda: refused(shared, "invalid") == before + 3)
    assert shared.service.reader.newest() == newest


@pytest.mark.parametrize(
    "size", ["-5", "+5", "5, 6", "0x5", "five", "", "9" * 30, "5\r\nContent-Length: 6"]
)
def test_a_length_that_is_none_is_refused(shared: Running, size: str) -> None:
    sent = request("POST /webhooks/dixa", f"Content-Length: {size}", body=b"hello!")
    [reply] = exchange(shared, sent, hang_up=True)
    assert (reply.status, error_of(reply.body)) == (400, "invalid")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(shared: Running) -> None:
    for size in (LIMIT + 1, 10**15):
        [reply] = exchange(
            shared, request("POST /webhooks/dixa", f"Content-Length: {size}", last=False)
        )
        assert (reply.status, error_of(reply.body)) == (413, "too_large")
        assert reply.headers["connection"] == "close"


def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large(shared: Running) -> None:
    head = request("POST /webhooks/dixa", "Transfer-Encoding: chunked", last=False)
    [reply] = exchange(shared, head + chunked(*[b" " * 65_536] * 17, end=False))
    assert (reply.status, error_of(reply.body)) == (413, "too_large")


def test_the_largest_body_that_is_allowed_passes(serve: Serve, sqlite_url: str) -> None:
    small = serve(sqlite_url, max_body=100)
    assert small.post(b" " * 98 + b"{}").status_code == 200
    assert small.post(b" " * 99 + b"{}").status_code == 413
    in_chunks = small.client.post(
        "/webhooks/dixa", content=iter([b" " * 99, b"{}"]), headers=signed(b" " * 99 + b"{}")
    )
    assert in_chunks.status_code == 413


def test_a_client_that_sends_much_more_than_is_allowed_still_reads_why(shared: Running) -> None:
    for content in (b"x" * 20_000_000, (b"x" * 10_000 for _ in range(2_000))):
        answer = shared.client.post("/webhooks/dixa", content=content)
        assert (answer.status_code, error_of(answer)) == (413, "too_large")


def test_a_body_that_does_not_come_in_time_is_refused(
    shared: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT", 0.2)
    [reply] = exchange(shared, webhook(day_lines[0], last=False)[:-1])
    assert (reply.status, error_of(reply.body)) == (408, "too_slow")
    assert reply.headers["connection"] == "close"
    assert refused(shared, "too_slow") == 1


def test_bodies_under_way_are_bounded_over_all_requests(
    shared: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_UNFINISHED_BYTES", 1_000)
    head = request("POST /webhooks/dixa", "Content-Length: 700", last=False)
    with connected(shared) as first, connected(shared) as second:
        for client in (first, second):
            client.sendall(head + b"x" * 600)
        ready, _, _ = select.select([first, second], [], [], 15)
        [reply] = parse(ready[0].recv(65_536))
        assert (reply.status, error_of(reply.body)) == (503, "overloaded")
        assert reply.headers["retry-after"] == "1"


def test_a_complete_body_comes_in_while_strangers_hold_all_that_unfinished_ones_may(
    shared: Running, day_lines: list[bytes]
) -> None:
    """As many as fit, each but one byte of the largest that is allowed; then webhooks as usual."""
    count = bodies.MAX_UNFINISHED_BYTES // LIMIT
    stranger = request("POST /webhooks/dixa", f"Content-Length: {LIMIT}", last=False)
    with ExitStack() as strangers:
        for _ in range(count + 4):
            client = strangers.enter_context(connected(shared))
            client.sendall(stranger + b" " * (LIMIT - 1))
        assert {shared.post(line).status_code for line in day_lines} == {200}
        for line in day_lines[:5]:  # in two pieces: it is a large one that makes room
            sent = webhook(line)
            with connected(shared) as client:
                client.sendall(sent[:-10])
                sleep(0.05)
                client.sendall(sent[-10:])
                assert [reply.status for reply in parse(read_to_end(client))] == [200]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("Content-Type", "application/jsonp"),
        ("Content-Type", ";charset=utf-8"),
        ("Content-Type", "\xff"),
        ("Content-Encoding", "gzip"),
        ("Content-Encoding", "deflate"),
        ("Content-Encoding", "br, gzip"),
        ("Content-Encoding", "x" * 1_000),
    ],
)
def test_what_is_not_declared_as_plain_json_is_refused(
    shared: Running, day_lines: list[bytes], name: str, value: str
) -> None:
    body = gzip.compress(day_lines[0]) if value == "gzip" else day_lines[0]
    headers = {**signed(body), name.lower(): value.encode("latin-1")}
    answer = shared.client.post("/webhooks/dixa", content=body, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, error_of(answer)) == (415, "unsupported_media_type")
    assert len(answer.content) < 300


@pytest.mark.parametrize(
    "kind",
    ["", "application/json; charset=utf-8", "APPLICATION/JSON", "application/cloudevents+json"],
)
def test_what_is_declared_as_json_or_not_at_all_passes(
    shared: Running, day_lines: list[bytes], kind: str
) -> None:
    assert shared.post(day_lines[0], content_type=kind).status_code == 200


def test_an_early_refusal_lets_the_rest_of_its_body_pass_by(
    shared: Running, day_lines: list[bytes]
) -> None:
    size = "Content-Length: 300000"
    for early, status in (
        (request("PUT /webhooks/dixa", size, body=b"x" * 300_000, last=False), 405),
        (request("POST /nowhere", size, body=b"x" * 300_000, last=False), 404),
    ):
        replies = exchange(shared, early + webhook(day_lines[0]))
        assert [reply.status for reply in replies] == [status, 200]
