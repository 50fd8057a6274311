"""Readers and webhooks in two processes, between which connections pass as requests need it."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from test_service import KEY, TLS, Service, service, until

from dixa_state.dixa.signature import sign
from dixa_state.web.handover import Handover, channel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is one process")

CREATED = {
    "event_fqn": "CONVERSATION_CREATED",
    "event_timestamp": "2026-01-05T08:00:00Z",
    "organization": {"id": "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"},
    "data": {"conversation": {"csid": 70431}},
}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("serving")
    with service(f"sqlite:///{folder}/store.db", folder) as found:
        yield found


@pytest.fixture
def ending(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service for one test, which may end it."""
    with service(sqlite_url, tmp_path) as found:
        yield found


def client_of(serving: Service, timeout: float = 5) -> httpx.Client:
    return httpx.Client(base_url=serving.url, timeout=timeout, verify=TLS)


def send(client: httpx.Client, event_id: str) -> httpx.Response:
    body = json.dumps(CREATED | {"event_id": event_id}).encode()
    signature = sign(body, bytes.fromhex(KEY), t=time_ns() // 1_000_000)
    headers = {"Content-Type": "application/json", "X-Dixa-Signature": signature}
    return client.post("/webhooks/dixa", content=body, headers=headers)


def answering(serving: Service, client: httpx.Client) -> psutil.Process:
    """Give the process that has the connection of a client, once a question was asked on it."""
    return owner(serving, client.get("/v1/stats").raise_for_status())


def owner(serving: Service, answer: httpx.Response) -> psutil.Process:
    here = answer.extensions["network_stream"].get_extra_info("client_addr")
    service = psutil.Process(serving.process.pid)
    [found] = [
        one
        for one in (service, *service.children())
        if any(of.raddr == here for of in one.net_connections("tcp") if of.status == "ESTABLISHED")
    ]
    return found


def readers_of(serving: Service) -> psutil.Process:
    """Wait for the process of the readers, and give it."""

    def found() -> psutil.Process | None:
        with client_of(serving) as client:
            process = answering(serving, client)
        return process if process.pid != serving.process.pid else None

    process: psutil.Process = until(found)
    return process


def metric(serving: Service, name: str) -> float:
    lines = httpx.get(f"{serving.url}/metrics", verify=TLS).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_each_request_of_a_connection_is_answered_by_the_process_it_belongs_to(
    serving: Service,
) -> None:
    readers = readers_of(serving)
    received = "dixa_state_webhooks_received_total"
    before = metric(serving, received)
    with client_of(serving) as client:
        for number in range(3):
            answer = send(client, f"event-{number}")
            assert answer.json()["outcome"] == "appended"
            assert owner(serving, answer).pid == serving.process.pid
            assert answering(serving, client) == readers
        position = send(client, "event-0").json()["position"]
        found = client.get("/v1/conversations/70431", params={"min_position": position})
        assert found.json()["csid"] == 70431
    assert metric(serving, received) == before + 4
    count = 'dixa_state_http_requests_total{method="GET",route="/v1/conversations/{csid}"'
    until(lambda: metric(serving, count) == 1)


def test_requests_that_come_at_once_or_in_pieces_are_answered_in_their_order(
    serving: Service,
) -> None:
    readers_of(serving)
    targets = {
        "/v1/bans": "data",
        "/healthz": "alive",
        "/v1/nothing": "error",
        "/readyz": "ready",
        "/v1/transitions": "data",
        "/webhooks/dixa": "error",
    }
    address = urlsplit(serving.url)
    requests = (f"GET {one} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n" for one in targets)
    asked = "".join(requests).encode()
    for size in (len(asked), 100, 7, 1):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(0, len(asked), size):
                connection.sendall(asked[start : start + size])
            received = b""
            while received.count(b"HTTP/1.1 ") < len(targets) or not received.endswith(b"}"):
                received += connection.recv(1 << 16)
        bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")[1:]]
        assert [next(iter(json.loads(body))) for body in bodies] == list(targets.values())


def test_a_head_that_comes_in_one_piece_with_a_body_in_chunks_is_no_other_request(
    serving: Service,
) -> None:
    """The parser sees 1,024 bytes of such a body at a time, here with the head up to the name."""
    readers_of(serving)
    address = urlsplit(serving.url)
    host = f"Host: {address.netloc}\r\n".encode()
    second = b"GET /healthz HTTP/1.1\r\n" + host + b"X-Name: GET /v1/bans HTTP/1.1\r\n\r\n"
    size = 1_024 - second.index(b"GET /v1") - len(b"400\r\n" + b"\r\n0\r\n\r\n")
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
    first = b"POST /webhooks/dixa HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(first + body + second)
        received = b""
        while received.count(b"HTTP/1.1 ") < 2 or not received.endswith(b"}"):
            received += connection.recv(1 << 16)
    assert received.endswith(b'{"alive":true}')


def test_a_readers_process_that_stands_still_is_passed_by(serving: Service) -> None:
    readers = readers_of(serving)
    readers.suspend()
    try:
        until(lambda: webhooks_answer_all(serving))
    finally:
        readers.resume()
    assert readers_of(serving) == readers


def webhooks_answer_all(serving: Service) -> bool:
    """Return whether a question is answered by the process of the webhooks."""
    try:
        with client_of(serving, 0.5) as client:
            return answering(serving, client).pid == serving.process.pid
    except httpx.TimeoutException:
        return False


def test_what_is_on_its_way_when_the_service_is_to_end_is_answered(ending: Service) -> None:
    """Connections are in the process of the readers, which comes too late to pass them back."""
    readers = readers_of(ending)
    with ExitStack() as stack:
        clients = [stack.enter_context(client_of(ending)) for _ in range(5)]
        for client in clients:
            assert answering(ending, client) == readers
        for client in clients:  # a connection that is idle for five seconds is closed
            client.get("/v1/stats").raise_for_status()
        readers.suspend()
        with ThreadPoolExecutor(len(clients)) as threads:
            answers = [
                threads.submit(send, client, f"event-{number}")
                for number, client in enumerate(clients)
            ]
            sleep(0.3)
            ending.process.send_signal(signal.SIGTERM)
            sleep(3)
            readers.resume()
            assert [answer.result().status_code for answer in answers] == [200] * len(clients)
    assert ending.process.wait(30) == 0


def test_when_the_readers_process_dies_all_is_answered_and_it_comes_back(serving: Service) -> None:
    readers = readers_of(serving)
    readers.kill()
    readers.wait(10)
    with client_of(serving) as client:
        assert answering(serving, client).pid == serving.process.pid
        assert send(client, "one").json()["outcome"] == "appended"
    assert readers_of(serving).pid != readers.pid
    assert "the readers' process has ended" in serving.log.read_text()


def test_streams_are_counted_where_they_are_not_and_end_with_the_service(ending: Service) -> None:
    readers = readers_of(ending)
    with client_of(ending, 20) as client, client.stream("GET", "/v1/stream") as stream:
        lines = stream.iter_lines()
        next(lines)
        until(lambda: metric(ending, "dixa_state_streams_open ") == 1)
        ending.process.send_signal(signal.SIGTERM)
        for _ in lines:
            pass  # it ends, and breaks off nowhere
    assert ending.process.wait(30) == 0
    assert not readers.is_running()


def test_the_readers_process_ends_when_that_of_the_webhooks_is_killed(ending: Service) -> None:
    readers = readers_of(ending)
    ending.process.kill()
    readers.wait(20)


def test_a_process_that_does_not_read_gets_no_connections() -> None:
    async def given() -> int:
        ours, theirs = channel()
        handover = Handover(lambda target: target == b"/here")
        handover.attach(ours, *[lambda *_: None] * 3)
        handover.open_until = monotonic() + 60
        listening = socket.create_server(("127.0.0.1", 0))
        connection = socket.create_connection(listening.getsockname())
        taken = 0
        with theirs, listening, connection:
            transport: Any = Transport(connection)
            assert not handover.pass_on(transport, bytearray(b"GET /here HTTP/1.1\r\n"))
            assert not handover.pass_on(transport, bytearray(b"GET /there HT"))
            assert not handover.pass_on(transport, bytearray(b"GET /there HTTP/1.1\r\n" * 4_000))
            transport.unsent = 1
            assert not handover.pass_on(transport, bytearray(b"GET /there HTTP/1.1\r\n"))
            transport.unsent = 0
            while handover.pass_on(transport, bytearray(b"GET /there HTTP/1.1\r\n")):
                taken += 1
            assert transport.reading
            handover.close()
        return taken

    assert 1 <= asyncio.run(given()) < 10_000


class Transport:
    """A connection of which only is noted whether it is read."""

    def __init__(self, connection: socket.socket) -> None:
        self.reading = True
        self.unsent = 0
        self._connection = connection

    def get_extra_info(self, _name: str) -> socket.socket:
        return self._connection

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        """Do nothing: it is given away again."""
