"""Webhooks under way at the same time share a commit, wait within bounds, fail by themselves."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager

import httpx
import pytest
from servers import Running, eventually
from sockets import connected, webhook

from dixa_state.web import inbox

pytestmark = pytest.mark.usefixtures("nothing_fails")

HOME = b"5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"


@contextmanager
def locked(server: Running) -> Iterator[None]:
    """Hold the store's write lock, as another process that writes for long."""
    path = server.store.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture
def bodies(day_lines: list[bytes]) -> list[bytes]:
    """Distinct webhooks, as many as a test may want."""
    return [day_lines[0].replace(HOME, b"org-%d" % number) for number in range(200)]


Posting = Callable[[list[bytes]], list["Future[httpx.Response]"]]


@pytest.fixture
def posting(sqlite_server: Running) -> Iterator[Posting]:
    """Send webhooks at the same time, and go on before they are answered."""
    with ThreadPoolExecutor(90) as clients:
        yield lambda bodies: [clients.submit(sqlite_server.post, body) for body in bodies]


def statuses(answers: list["Future[httpx.Response]"]) -> Counter[int]:
    return Counter(answer.result().status_code for answer in answers)


def commits(server: Running) -> tuple[float, float]:
    """Give how many commits there were, and of how many webhooks."""
    count = server.metric("dixa_state_commit_events_count")
    return count, server.metric("dixa_state_commit_events_sum")


def test_what_comes_while_a_commit_is_under_way_shares_the_next_one(
    sqlite_server: Running, bodies: list[bytes], posting: Posting
) -> None:
    with locked(sqlite_server):
        answers = posting(bodies[:90])
        eventually(lambda: sqlite_server.service.inbox.waiting > 60)
    assert statuses(answers) == {200: 90}
    assert {answer.result().json()["position"] for answer in answers} == set(range(1, 91))
    count, events = commits(sqlite_server)
    assert events == 90
    assert count < 30


def test_many_clients_at_once_need_fewer_commits_than_webhooks(
    server: Running, bodies: list[bytes]
) -> None:
    with ThreadPoolExecutor(50) as clients:
        answers = list(clients.map(server.post, bodies))
    assert {answer.json()["outcome"] for answer in answers} == {"appended"}
    assert server.service.reader.newest() == 200
    count, events = commits(server)
    assert events == 200
    assert count < 150


@pytest.mark.parametrize("bound", [{"MAX_WAITING": 5}, {"MAX_WAITING_BYTES": 4_000}], ids=list)
def test_what_is_too_much_to_wait_is_told_to_come_back_at_once(
    sqlite_server: Running,
    bodies: list[bytes],
    posting: Posting,
    monkeypatch: pytest.MonkeyPatch,
    bound: dict[str, int],
) -> None:
    [(name, value)] = bound.items()
    monkeypatch.setattr(inbox, name, value)
    with locked(sqlite_server):
        answers = posting(bodies[:30])
        eventually(lambda: sum(answer.done() for answer in answers) >= 15)
        for answer in (answer.result() for answer in answers if answer.done()):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["error"]["code"] == "overloaded"
        page = sqlite_server.client.get("/metrics").text
        waiting = sqlite_server.service.inbox.waiting
        assert 0 < waiting <= 8
        assert f"dixa_state_inbox_waiting {waiting}.0" in page
        assert sqlite_server.get("/v1/stats")["conversations"] == 0  # reading goes on
    assert statuses(answers).keys() == {200, 503}
    assert sqlite_server.metric("dixa_state_webhooks_refused_total", reason="overloaded") >= 15
    monkeypatch.undo()
    assert statuses(posting(bodies[:30])) == {200: 30}
    assert sqlite_server.service.reader.newest() == 30


def test_a_store_that_does_not_answer_in_time_is_told_and_the_same_webhook_is_kept_once(
    sqlite_server: Running, bodies: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "COMMIT_TIMEOUT", 0.3)
    with locked(sqlite_server):
        answer = sqlite_server.post(bodies[0])
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["code"] == "unavailable"
    monkeypatch.undo()
    again = sqlite_server.post(bodies[0])
    assert (again.status_code, again.json()["position"]) == (200, 1)
    assert sqlite_server.service.reader.newest() == 1


def test_a_webhook_that_the_store_will_not_take_fails_by_itself(
    sqlite_server: Running, bodies: list[bytes], posting: Posting
) -> None:
    path = sqlite_server.store.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON stored_events "
            "WHEN NEW.originator_id LIKE '%org-13%' BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    with locked(sqlite_server):
        answers = posting(bodies[:20])
        eventually(lambda: sqlite_server.service.inbox.waiting > 10)
    assert statuses(answers) == {200: 19, 503: 1}
    refused = answers[13].result()
    message = refused.json()["error"]["message"]
    assert message == "the store cannot be used now; the log says why"
    assert refused.headers["retry-after"] == "1"
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TRIGGER refuse")
    assert sqlite_server.post(bodies[13]).json()["outcome"] == "appended"
    assert sqlite_server.service.reader.newest() == 20


def test_a_webhook_is_kept_though_its_client_has_gone(
    sqlite_server: Running, bodies: list[bytes]
) -> None:
    with locked(sqlite_server), connected(sqlite_server) as client:
        client.sendall(webhook(bodies[0]))
        client.close()
    eventually(lambda: sqlite_server.service.reader.newest() == 1)
    assert sqlite_server.post(bodies[0]).json()["outcome"] == "duplicate"


def test_what_waits_when_the_service_is_told_to_end_is_stored_and_answered(
    sqlite_server: Running, bodies: list[bytes], posting: Posting
) -> None:
    with locked(sqlite_server):
        answers = posting(bodies[:50])
        eventually(lambda: sqlite_server.service.inbox.waiting > 30)
        sqlite_server.server.handle_exit(15, None)
    wait(answers)
    # Connections that the server had not taken yet are reset.
    answered = [answer for answer in answers if not answer.exception()]
    assert statuses(answered).keys() == {200}
    assert len(answered) > 30
    path = sqlite_server.store.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as store:
        [(kept,)] = store.execute("SELECT count(*) FROM stored_events")
        assert kept >= len(answered)
