"""What the receiver keeps, and what it refuses."""

import asyncio
import gc
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from servers import Running, Serve, signed
from sockets import exchange, webhook

from dixa_state.dixa.signature import sign
from dixa_state.store.append import Outcome
from dixa_state.store.events import Webhook
from dixa_state.web.bodies import BodyReader
from dixa_state.web.metrics import Metrics
from dixa_state.web.middleware import RequestMiddleware
from dixa_state.web.policy import Policy
from dixa_state.web.receiver import Receiver

KEY = "00112233445566778899aabbccddeeff"
OTHER = "ffeeddccbbaa99887766554433221100"


def refused(server: Running, reason: str) -> float:
    return server.metric("dixa_state_webhooks_refused_total", reason=reason)


def test_a_signed_webhook_is_appended_and_its_second_copy_is_a_duplicate(
    server: Running, day_lines: list[bytes]
) -> None:
    first, second = server.post(day_lines[0]), server.post(day_lines[0])
    event_id = json.loads(day_lines[0])["event_id"]
    assert (first.status_code, first.json()) == (
        200,
        {"outcome": "appended", "event_id": event_id, "position": 1, "reason": None},
    )
    assert (second.status_code, second.json()["outcome"]) == (200, "duplicate")
    assert second.json()["position"] == 1


def test_what_cannot_become_an_event_is_kept_in_quarantine_and_answered_200(
    server: Running,
) -> None:
    answer = server.post(b'{"event_id": "e-1"')
    assert (answer.status_code, answer.json()["outcome"]) == (200, "quarantined")
    assert answer.json()["reason"]
    assert [item.webhook.body for item in server.service.tracker.quarantined()] == [
        b'{"event_id": "e-1"'
    ]


def test_the_body_is_stored_byte_for_byte_with_its_signature(
    server: Running, day_lines: list[bytes]
) -> None:
    server.post(day_lines[0], x_dixa_subscription_id="s-1")
    [stored] = server.get("/v1/conversations/70431/events")["data"]
    assert stored["body"].encode() == day_lines[0]
    assert stored["signature"].startswith("t=")
    assert stored["subscription_id"] == "s-1"


@pytest.mark.parametrize("last", ["HTTP/1.1", "HTTP/1.0"])
def test_an_answer_says_that_it_is_the_last_one(
    shared: Running, day_lines: list[bytes], last: str
) -> None:
    sent = webhook(day_lines[0], last=last == "HTTP/1.1").replace(b"HTTP/1.1", last.encode(), 1)
    [reply] = exchange(shared, sent)
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert {"date", "x-request-id", "x-frame-options"} < reply.headers.keys()
    assert json.loads(reply.body)["outcome"] in ("appended", "duplicate")


def sent_by_a_server_without_extensions(body: bytes) -> list[dict[str, Any]]:
    """Have the receiver answer a webhook, and give what it sends."""
    sent: list[dict[str, Any]] = []

    async def append(_webhook: Webhook) -> Outcome:
        return Outcome("appended", "e-1", 1)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    metrics, inbox = Metrics(), SimpleNamespace(append=append)
    policy = Policy(allow_unsigned=True)
    receiver = Receiver(inbox, BodyReader(), policy, metrics, lambda: datetime.now(UTC))  # type: ignore[arg-type]
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "headers": headers}
    asyncio.run(RequestMiddleware(receiver, metrics)(scope, receive, send))  # type: ignore[arg-type]
    return sent


def test_another_server_sends_the_same_answer(shared: Running, day_lines: list[bytes]) -> None:
    start, end = sent_by_a_server_without_extensions(day_lines[0])
    ours = shared.post(day_lines[0])
    assert (start["status"], json.loads(end["body"]).keys()) == (200, ours.json().keys())
    theirs = {name.decode(): value.decode() for name, value in start["headers"]}
    assert theirs.pop("content-length") == str(len(end["body"]))
    assert len(theirs.pop("x-request-id")) == len(ours.headers["x-request-id"])
    different = {"date", "content-length", "x-request-id"}
    assert theirs == {name: value for name, value in ours.headers.items() if name not in different}


def test_a_request_that_is_answered_leaves_nothing_for_the_collector_of_cycles(
    server: Running, day_lines: list[bytes]
) -> None:
    gc.collect()  # what other servers of this process have left
    gc.disable()
    try:
        for _ in range(50):
            server.post(day_lines[0])
        left = [one for one in gc.get_objects() if type(one).__name__ == "RequestResponseCycle"]
    finally:
        gc.enable()
    assert len(left) < 10


def flipped(body: bytes) -> bytes:
    return body[:-2] + bytes([body[-2] ^ 1]) + body[-1:]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body": flipped}, "mismatch"),
        ({"body": lambda body: body[:-10]}, "mismatch"),
        ({"secret": OTHER}, "mismatch"),
        ({"secret": KEY.encode().hex()}, "mismatch"),
        ({"x_dixa_signature": ""}, "missing"),
        ({"x_dixa_signature": "t=yesterday,v1=00"}, "malformed"),
        ({"x_dixa_signature": "t=1,v1=00," + "v1=00," * 40}, "malformed"),
        ({"x_dixa_signature": "t=1,v1=" + "0" * 5_000}, "malformed"),
    ],
    ids=[
        "a flipped bit",
        "a cut body",
        "another key",
        "the hex text as the key",
        "no signature",
        "t is no number",
        "many v1",
        "a huge header",
    ],
)
def test_what_dixa_did_not_sign_is_refused_without_a_hint(
    shared: Running, day_lines: list[bytes], change: dict[str, Any], reason: str
) -> None:
    body = day_lines[0]
    before = refused(shared, reason), shared.service.reader.newest()
    headers = signed(body, change.get("secret", KEY), change_headers(change))
    sent = change.get("body", lambda body: body)(body)
    answer = shared.client.post("/webhooks/dixa", content=sent, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {
            "code": "unauthenticated",
            "message": "expected a webhook that Dixa signed",
            "detail": None,
        }
    }
    assert (refused(shared, reason), shared.service.reader.newest()) == (before[0] + 1, before[1])


def change_headers(change: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in change.items() if name.startswith("x_")}


def test_a_doubled_signature_header_is_refused(
    sqlite_server: Running, day_lines: list[bytes]
) -> None:
    headers = [*signed(day_lines[0]).items(), ("x-dixa-signature", "t=1,v1=00")]
    answer = sqlite_server.client.post("/webhooks/dixa", content=day_lines[0], headers=headers)
    assert answer.status_code == 401
    assert refused(sqlite_server, "malformed") == 1


def test_two_subscriptions_deliver_the_same_event_while_a_secret_is_rotated(
    serve: Serve, store_url: str, day_lines: list[bytes]
) -> None:
    server = serve(store_url, webhook_secrets=f"old={KEY},new={OTHER}")
    outcomes = [
        server.post(day_lines[0], secret=secret, x_dixa_subscription_id=owner).json()["outcome"]
        for owner, secret in (("old", KEY), ("new", OTHER))
    ]
    assert outcomes == ["appended", "duplicate"]
    assert server.post(day_lines[1], secret=KEY, x_dixa_subscription_id="new").status_code == 401


def test_a_secret_that_is_bound_to_an_organization_signs_for_no_other(
    serve: Serve, sqlite_url: str, day_lines: list[bytes]
) -> None:
    home = json.loads(day_lines[0])["organization"]["id"]
    server = serve(sqlite_url, webhook_secrets=f"organization:{home}={KEY},organization:b={OTHER}")
    away = day_lines[0].replace(home.encode(), b"b")
    assert server.post(day_lines[0], secret=KEY).json()["outcome"] == "appended"
    assert server.post(away, secret=OTHER).json()["outcome"] == "appended"
    for body, secret in ((away, KEY), (day_lines[0], OTHER)):
        assert server.post(body, secret=secret).status_code == 401
    assert refused(server, "organization") == 2
    assert server.post(b"nonsense", secret=KEY).json()["outcome"] == "quarantined"


def test_of_a_hundred_simultaneous_copies_one_is_appended(
    server: Running, day_lines: list[bytes]
) -> None:
    with ThreadPoolExecutor(100) as clients:
        answers = list(clients.map(server.post, [day_lines[0]] * 100))
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert {answer.status_code for answer in answers} == {200}
    assert (outcomes.count("appended"), outcomes.count("duplicate")) == (1, 99)
    assert {answer.json()["position"] for answer in answers} == {1}


def test_a_second_proof_can_be_asked_for_beside_the_signature(
    serve: Serve, sqlite_url: str, day_lines: list[bytes]
) -> None:
    server = serve(sqlite_url, webhook_authorization="Basic ZGl4YTpzZWNyZXQ=")
    assert server.post(day_lines[0]).status_code == 401
    assert server.post(day_lines[0], authorization="Basic ZGl4YTpndWVzcw==").status_code == 401
    assert server.post(day_lines[0], authorization="Basic ZGl4YTpzZWNyZXQ=").status_code == 200
    assert refused(server, "authorization") == 2


def test_unsigned_bodies_pass_only_where_that_is_allowed(
    serve: Serve, sqlite_url: str, day_lines: list[bytes]
) -> None:
    server = serve(sqlite_url, webhook_secrets=None, allow_unsigned=True)
    assert server.post(day_lines[0], x_dixa_signature="").json()["outcome"] == "appended"


def test_with_a_tolerance_an_old_signature_is_stale(
    serve: Serve, sqlite_url: str, day_lines: list[bytes]
) -> None:
    server = serve(sqlite_url, signature_tolerance=60)
    old = sign(day_lines[0], bytes.fromhex(KEY), t=1_689_238_949_803)
    assert server.post(day_lines[0], x_dixa_signature=old).status_code == 401
    assert refused(server, "stale") == 1


def test_the_metrics_count_what_came_by_outcome_and_event(
    server: Running, day_lines: list[bytes]
) -> None:
    server.send(day_lines)
    server.post(day_lines[0])
    server.post(b"nonsense")
    page = server.client.get("/metrics").text
    assert (
        'dixa_state_webhooks_received_total{event="conversation.created",outcome="appended"} 2.0'
        in page
    )
    assert 'dixa_state_webhooks_received_total{event="none",outcome="quarantined"} 1.0' in page
    assert "dixa_state_store_position 45.0" in page
    assert "dixa_state_projector_lag_events 0.0" in page
