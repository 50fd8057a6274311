"""What operators look at: whether it lives, whether it can work, how far it has got."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers import Running, Serve, eventually
from service_process import PROGRAM, address_of
from service_process import service as service_process

from dixa_state.bootstrap import open_place, open_tracker, open_views
from dixa_state.dixa.catalog import TYPES
from dixa_state.store import postgres
from dixa_state.views.replay import replay
from dixa_state.views.tables import VIEW_VERSION
from dixa_state.web import live_updates, metrics, operations, service

pytestmark = pytest.mark.usefixtures("nothing_fails")


@pytest.fixture
def away(postgres_server: str, postgres_url: str) -> Callable[[], Any]:
    """Close the database: nobody is let in, and who is in is thrown out."""
    name = urlsplit(postgres_url).path.removeprefix("/")

    @contextmanager
    def closed() -> Iterator[None]:
        with psycopg.connect(postgres_server, autocommit=True) as operator:
            operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            try:
                yield
            finally:
                operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())

    return closed


def readiness(server: Running) -> tuple[int, dict[str, Any]]:
    answer = server.client.get("/readyz")
    return answer.status_code, answer.json()


def test_an_empty_store_is_ready(server: Running) -> None:
    assert readiness(server) == (
        200,
        {
            "ready": True,
            "problem": None,
            "store_position": 0,
            "views_position": 0,
            "lag": 0,
            "poison": 0,
            "last_event_age": None,
            "inbox_waiting": 0,
            "streams": 0,
        },
    )


def test_readiness_tells_how_far_the_views_have_got(
    server: Running, day_lines: list[bytes]
) -> None:
    server.send(day_lines)
    status, found = readiness(server)
    assert (status, found["ready"]) == (200, True)
    assert (found["store_position"], found["views_position"], found["lag"]) == (45, 45, 0)
    assert 0 <= found["last_event_age"] < 60


def test_a_store_that_is_away_is_told_and_the_service_goes_on_when_it_is_back(
    serve: Serve,
    postgres_url: str,
    day_lines: list[bytes],
    away: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres, "CONNECT_TIMEOUT", 1)
    monkeypatch.setattr(live_updates, "MAX_RECENT", 0)
    server = serve(postgres_url)
    server.send(day_lines[:20])
    with server.client.stream("GET", "/v1/stream?after=20") as follower:
        told = follower.iter_lines()
        with away():
            eventually(lambda: readiness(server)[0] == 503)
            _, found = readiness(server)
            assert (found["ready"], found["store_position"], found["lag"]) == (False, None, None)
            assert found["problem"] == operations.UNUSABLE
            assert server.get("/healthz") == {"alive": True}
            for answer in (server.post(day_lines[20]), server.client.get("/v1/conversations")):
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
                assert answer.json()["error"]["code"] == "unavailable"
            with server.client.stream("GET", "/v1/stream?after=0") as resuming:
                assert b"".join(resuming.iter_bytes()).startswith(b"retry: 1000\n")  # and it ends
            assert "dixa_state_store_position NaN" in server.client.get("/metrics").text
        eventually(lambda: readiness(server)[0] == 200)
        eventually(lambda: server.post(day_lines[20]).status_code == 200)
        server.send(day_lines[21:])
        assert "id: 40" in told
    assert readiness(server)[1]["lag"] == 0


def test_all_who_ask_for_readiness_share_a_probe(
    sqlite_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, probes of a database that is slow would add up."""
    health = operations.health
    monkeypatch.setattr(operations, "health", lambda reader: (sleep(1.5), health(reader))[1])
    began = monotonic()
    with ThreadPoolExecutor(12) as clients:
        assert set(clients.map(lambda _: readiness(sqlite_server)[0], range(12))) == {200}
    assert monotonic() - began < 8


def test_events_that_cannot_be_folded_are_counted(
    server: Running, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> Any:
        raise ValueError("no reader for this")

    failing = TYPES["conversation.note_added"]._replace(fact=fail)

    monkeypatch.setitem(TYPES, "conversation.note_added", failing)
    server.send(day_lines)
    assert readiness(server)[1]["poison"] == 1
    assert readiness(server)[0] == 200
    assert samples(server)["dixa_state_poison_events"] == 1


def samples(server: Running) -> dict[str, float]:
    """Read all metrics as Prometheus does; of labelled ones, the sum."""
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_the_metrics_tell_what_comes_in_and_how_far_it_has_got(
    server: Running, day_lines: list[bytes]
) -> None:
    server.send(day_lines)
    server.post(day_lines[0])
    server.post(b"{}")
    server.post(b"{}", x_dixa_signature="")
    server.post(b"{}", content_type="text/plain")
    found = samples(server)
    assert found["dixa_state_webhooks_received_total"] == 47
    assert found["dixa_state_webhooks_refused_total"] == 2
    assert found["dixa_state_webhook_answer_seconds_count"] == 47
    assert 0 < found["dixa_state_webhook_answer_seconds_sum"] < 47
    assert found["dixa_state_commit_events_sum"] == 47
    assert found["dixa_state_store_position"] == found["dixa_state_projector_position"] == 45
    assert found["dixa_state_projector_lag_events"] == found["dixa_state_inbox_waiting"] == 0
    assert found["dixa_state_projector_alive"] == 1
    assert found["dixa_state_poison_events"] == found["dixa_state_streams_open"] == 0
    assert 0 <= found["dixa_state_last_event_age_seconds"] < 60
    page = server.client.get("/metrics").text
    for line in (
        'dixa_state_webhooks_received_total{event="conversation.created",outcome="duplicate"} 1.0',
        'dixa_state_webhooks_received_total{event="none",outcome="quarantined"} 1.0',
        'dixa_state_webhooks_refused_total{reason="missing"} 1.0',
        'dixa_state_webhooks_refused_total{reason="unsupported_media_type"} 1.0',
    ):
        assert line in page


def test_the_labels_of_metrics_do_not_grow_with_what_strangers_ask_for(
    shared: Running,
) -> None:
    def lines() -> int:
        return len(shared.client.get("/metrics").text.splitlines())

    for number in range(2):
        shared.client.get(f"/nothing/{number}")
        shared.client.get(f"/v1/conversations/{number + 1}")
    before = lines()
    for number in range(50):
        shared.client.get(f"/nothing/{number}")
        shared.client.get(f"/v1/conversations/{number + 1}")
        shared.client.get(f"/static/{number}")
        shared.client.request("GET", "/v1/stats", params={f"p{number}": 1})
        shared.post(
            b"{}", x_dixa_signature=f"t={number},v1=00", x_dixa_subscription_id=f"s{number}"
        )
    assert lines() - before < 20


# Reading what was just written


@pytest.fixture
def held(postgres_url: str) -> Callable[[], Any]:
    """Hold the projector before its next page, as a slow database would."""

    @contextmanager
    def holding() -> Iterator[None]:
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT * FROM projection FOR UPDATE")
            yield

    return holding


def test_a_question_waits_for_the_position_that_it_asks_for_and_wakes_at_once(
    serve: Serve, postgres_url: str, day_lines: list[bytes], held: Callable[[], Any]
) -> None:
    server = serve(postgres_url)
    server.send(day_lines[:1])
    with ThreadPoolExecutor(1) as thread:
        with held():
            position = server.post(day_lines[1]).json()["position"]
            early = server.get("/v1/conversations/70431")
            asked = thread.submit(server.get, "/v1/conversations", min_position=position)
            eventually(lambda: readiness(server)[1]["lag"] == 1)
            assert not asked.done()
        released = monotonic()
        [found] = asked.result()["data"]
        assert monotonic() - released < 4  # and not the five that it might wait
    assert (found["version"], found["position"]) == (2, position)
    assert early["version"] == 2  # of one conversation, the events themselves are asked


def test_a_position_that_is_not_reached_in_time_is_told(
    serve: Serve,
    postgres_url: str,
    day_lines: list[bytes],
    held: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "POSITION_TIMEOUT", 0.2)
    server = serve(postgres_url)
    with held():
        position = server.post(day_lines[0]).json()["position"]
        answer = server.client.get(f"/v1/stats?min_position={position}")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["message"].startswith("views: expected position 1 within")
    eventually(lambda: server.client.get(f"/v1/stats?min_position={position}").status_code == 200)


# Starting


def outdate(store_url: str, day_lines: list[bytes]) -> None:
    """Make a store with an event and views of another version."""
    with open_tracker(store_url) as tracker:
        tracker.append(day_lines[0])
        views = open_views(tracker.event_recorder)
        with views.transaction(write=True) as connection:
            connection.run("UPDATE projection SET view_version = :old", old=VIEW_VERSION - 1)
        views.close()


def test_on_views_of_another_version_it_receives_and_answers_when_they_are_replayed(
    serve: Serve, store_url: str, day_lines: list[bytes]
) -> None:
    outdate(store_url, day_lines)
    running = serve(store_url)
    received = running.post(day_lines[1])
    assert (received.status_code, received.json()["outcome"]) == (200, "appended")
    refused = running.client.get("/v1/conversations")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "schema")
    assert "`dixa-state replay`" in refused.json()["error"]["message"]
    eventually(lambda: running.service.projection.outdated)
    status, found = readiness(running)  # webhooks must come in, so it is ready
    assert (status, found["ready"], found["store_position"]) == (200, True, 2)
    assert (found["views_position"], found["lag"], found["poison"]) == (None, None, None)
    assert found["problem"] == refused.json()["error"]["message"]
    with open_tracker(store_url) as tracker:
        views = open_views(tracker.event_recorder)
        replay(tracker, views, partial(open_place, store_url))
        views.close()
    assert running.client.get("/v1/conversations").status_code == 200
    assert running.post(day_lines[2]).json()["position"] == 3
    eventually(lambda: running.get("/v1/conversations", min_position=3)["data"])
    eventually(lambda: readiness(running)[1]["problem"] is None)


def test_it_replays_views_of_another_version_while_it_serves_if_it_is_told_to(
    tmp_path: Path, day_lines: list[bytes]
) -> None:
    outdate(f"sqlite:///{tmp_path}/store.db", day_lines)
    with service_process(tmp_path, [PROGRAM, "serve", "--port", "0", "--replay"]) as process:
        address = address_of(process)
        assert httpx.get(f"{address}/healthz").status_code == 200
        eventually(lambda: httpx.get(f"{address}/v1/conversations").status_code == 200)
        process.terminate()
        assert process.wait(30) == 0


def test_the_metrics_count_what_the_desk_has_before_it(day: Running) -> None:
    text = day.client.get("/metrics").text
    metrics = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }
    assert metrics["dixa_state_open_conversations"] == 0
    assert metrics["dixa_state_missed_webhooks"] == 0


def test_the_queues_that_have_a_label_are_bounded(
    sqlite_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MAX_QUEUES", 2)
    for csid in range(1, 7):
        body = {
            "event_id": f"e{csid}",
            "event_fqn": "CONVERSATION_ENQUEUED",
            "event_timestamp": f"2026-03-02T08:00:{csid:02}Z",
            "data": {
                "conversation": {"csid": csid, "status": "OPEN", "assignee": None, "tags": []},
                "queue": {"id": f"q{csid // 2}", "name": f"Queue {csid // 2}"},
            },
        }
        sqlite_server.send([json.dumps(body).encode()])
    tagged = {
        "event_id": "tagged",
        "event_fqn": "CONVERSATION_NOTE_ADDED",
        "event_timestamp": "2026-03-02T09:00:00Z",
        "data": {"conversation": {"csid": 1, "tags": ["no webhook reported it"]}},
    }
    sqlite_server.send([json.dumps(tagged).encode()])
    text = sqlite_server.client.get("/metrics").text
    found = {
        (sample.name.removeprefix("dixa_state_"), sample.labels.get("queue")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["open_conversations", None] == found["unassigned_conversations", None] == 6
    assert found["breached_conversations", None] == 0
    assert found["missed_webhooks", None] == 1
    queues = ("Queue 1", "Queue 2", "other queues")
    assert [found["waiting_conversations", name] for name in queues] == [2, 2, 2]
    waits = [found["longest_wait_seconds", name] for name in queues]
    assert waits[2] > waits[0] > waits[1]
