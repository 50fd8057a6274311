"""Who may read and who may send; and what answers and logs give away."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import SECRET, Running, Serve, eventually, running, signed
from sockets import exchange, request

from dixa_state.asgi import open_policy
from dixa_state.errors import InvalidInputError
from dixa_state.settings import Settings

TOKEN, OTHER = "a-token-that-may-read", "another.token/that+may~read=="
OPEN = {"/healthz", "/readyz", "/openapi.json", "/docs"}
MARK = "xq7mark"


def guarded_paths(server: Running) -> list[tuple[str, str]]:
    described = server.get("/openapi.json")["paths"]
    return [
        (method, path.format(csid=70431, id="x", field="status", position=1))
        for path, methods in described.items()
        for method in methods
        if path.startswith("/v1/") or path == "/metrics"
    ]


def answer_to(server: Running, method: str, path: str, **headers: str) -> httpx.Response:
    """Ask; a live stream is left at its head."""
    with server.client.stream(method, path, headers=headers) as answer:
        if not path.endswith("/stream") or answer.status_code != 200:
            answer.read()
        return answer


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = f"sqlite:///{tmp_path_factory.mktemp('guarded')}/store.db"
    given = {"webhook_secrets": SECRET, "api_tokens": f"{TOKEN}, {OTHER}"}
    with running(Settings(_env_file=None, store=store, **given)) as server:
        yield server


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN}, {OTHER}",
        f"Basic {TOKEN}",
        f"Token {TOKEN}",
        TOKEN,
        f"Bearer {SECRET}",
        "Bearer " + "x" * 40_000,
    ],
    ids=lambda text: str(text)[:30],
)
def test_without_a_token_that_may_read_nothing_is_told(
    guarded: Running, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.strip()}
    for method, path in guarded_paths(guarded):
        answer = answer_to(guarded, method, path, **headers)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["error"]["code"] == "unauthenticated"


def test_a_token_is_asked_for_before_the_question_is_looked_at(guarded: Running) -> None:
    for path in ("/v1/conversations?nonsense=1", "/v1/conversations/x", "/v1/stream?after=x"):
        assert guarded.client.get(path).status_code == 401
    assert guarded.client.post("/v1/search/conversations", content=b"{").status_code == 401


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer {OTHER}", f"BEARER {TOKEN}"])
def test_each_of_several_tokens_may_read(guarded: Running, authorization: str) -> None:
    for method, path in guarded_paths(guarded):
        answer = answer_to(guarded, method, path, Authorization=authorization)
        assert answer.status_code in (200, 400, 404), path


def test_what_tells_nothing_of_anybody_needs_no_token(
    guarded: Running, day_lines: list[bytes]
) -> None:
    for path in OPEN:
        assert guarded.client.get(path).status_code == 200
    assert guarded.post(day_lines[0]).status_code == 200
    described = set(guarded.get("/openapi.json")["paths"])
    assert {path for _, path in guarded_paths(guarded)} | OPEN | {"/webhooks/dixa"} >= {
        path.format(csid=70431, id="x", field="status", position=1) for path in described
    }


def test_with_a_token_the_name_by_which_it_is_reached_does_not_matter(guarded: Running) -> None:
    headers = {"Host": "tracker.example.com", "Authorization": f"Bearer {TOKEN}"}
    assert guarded.client.get("/v1/stats", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1", "[::2]:80"]
)
def test_without_tokens_a_page_elsewhere_cannot_read_through_a_browser_here(
    shared: Running, day_lines: list[bytes], host: str
) -> None:
    """DNS rebinding: its own name leads here, but the browser still says that name."""
    for method, path in guarded_paths(shared):
        answer = answer_to(shared, method, path, Host=host)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), path
    headers = signed(day_lines[0]) | {"Host": host}
    sent = shared.client.post("/webhooks/dixa", content=day_lines[0], headers=headers)
    assert sent.status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3", "[::1]:80"])
def test_without_tokens_who_is_on_this_machine_may_read(shared: Running, host: str) -> None:
    assert shared.client.get("/v1/stats", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Real-IP", "Via"]
)
def test_without_tokens_nobody_may_read_through_a_proxy(shared: Running, header: str) -> None:
    """A proxy on this machine would let the whole world read."""
    for method, path in guarded_paths(shared):
        answer = answer_to(shared, method, path, **{header: "192.0.2.1"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), path


def test_with_a_token_one_may_read_through_a_proxy(guarded: Running) -> None:
    headers = {"X-Forwarded-For": "192.0.2.1", "Authorization": f"Bearer {TOKEN}"}
    assert guarded.client.get("/v1/stats", headers=headers).status_code == 200


def test_nobody_chooses_the_address_in_the_log(
    shared: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dixa_state.web")
    shared.client.get("/nowhere", headers={"X-Forwarded-For": "192.0.2.1"})
    eventually(lambda: requests(caplog))
    assert {one["client"] for one in requests(caplog)} == {"127.0.0.1"}


# Settings


def test_secrets_may_come_from_files(tmp_path: Path) -> None:
    for name, value in (
        ("secrets", f"{SECRET}\n"),
        ("tokens", f" {TOKEN}\n"),
        ("store", "memory:"),
    ):
        (tmp_path / name).write_text(value, encoding="utf-8")
    given = Settings(
        _env_file=None,
        webhook_secrets_file=tmp_path / "secrets",
        api_tokens_file=tmp_path / "tokens",
        store_file=tmp_path / "store",
    )
    policy = open_policy(given)
    assert (policy.secrets.unbound, given.store) == ((bytes.fromhex(SECRET),), "memory:")
    assert policy.reader_of(TOKEN)
    with pytest.raises(ValueError, match="DIXA_STATE_API_TOKENS_FILE: expected a file"):
        Settings(_env_file=None, api_tokens_file=tmp_path / "none")


def policy_error(**given: Any) -> str:
    with pytest.raises(InvalidInputError) as error:
        open_policy(Settings(_env_file=None, **given))
    return str(error.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "tracker.example.com", ""])  # noqa: S104
def test_others_can_be_let_in_only_with_a_token(host: str) -> None:
    message = policy_error(webhook_secrets=SECRET, host=host)
    assert message.startswith("DIXA_STATE_API_TOKENS: expected a token")
    open_policy(Settings(_env_file=None, webhook_secrets=SECRET, host=host, api_tokens=TOKEN))


@pytest.mark.parametrize("secrets", [None, "", "  "])
def test_without_a_secret_nothing_is_served_and_the_way_to_set_one_is_told(
    secrets: str | None,
) -> None:
    message = policy_error(webhook_secrets=secrets)
    assert "DIXA_STATE_WEBHOOK_SECRETS" in message
    assert "DIXA_STATE_ALLOW_UNSIGNED=true" in message
    open_policy(Settings(_env_file=None, webhook_secrets=secrets, allow_unsigned=True))


@pytest.mark.parametrize(
    "given",
    [
        {"webhook_secrets": f"{MARK}{SECRET}"},
        {"webhook_secrets": f"{SECRET}={MARK}"},
        {"webhook_secrets": f"{SECRET},,"},
        {"webhook_secrets": f"{SECRET[:-1]}"},
        {"webhook_secrets": SECRET, "api_tokens": MARK},
        {"webhook_secrets": SECRET, "api_tokens": f"{TOKEN},{MARK}{TOKEN}é"},
        {"webhook_secrets": SECRET, "api_tokens": f"{TOKEN},"},
        {"webhook_secrets": SECRET, "api_tokens": ","},
    ],
    ids=lambda given: str(sorted(given.items()))[-50:],
)
def test_a_wrong_secret_or_token_is_named_by_its_number_and_not_shown(
    given: dict[str, str],
) -> None:
    message = policy_error(**given)
    assert re.match(r"DIXA_STATE_[A-Z_]+: (number \d: )?expected", message)
    assert not re.search(rf"{MARK}|{TOKEN}|{SECRET[:8]}", message)


def test_neither_settings_nor_the_policy_show_what_is_secret() -> None:
    given = Settings(
        _env_file=None,
        webhook_secrets=SECRET,
        api_tokens=TOKEN,
        webhook_authorization=f"Basic {MARK}",
    )
    shown = f"{given!r} {given} {given.model_dump_json()} {open_policy(given)!r}"
    assert not re.search(rf"{MARK}|{TOKEN}|{SECRET}", shown)


# What answers carry


SECURITY = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def test_every_answer_carries_headers_that_keep_browsers_safe(
    guarded: Running, day_lines: list[bytes]
) -> None:
    get = guarded.client.get
    headers = [
        *(get(path).headers for path in ("/healthz", "/docs", "/v1/stats", "/nowhere", "/metrics")),
        get("/v1/conversations/x", headers={"Authorization": f"Bearer {TOKEN}"}).headers,
        answer_to(guarded, "get", "/v1/stream", Authorization=f"Bearer {TOKEN}").headers,
        guarded.client.put("/webhooks/dixa").headers,
        guarded.post(day_lines[0]).headers,
        guarded.post(day_lines[0], content_type="text/plain").headers,
        guarded.post(day_lines[0], x_dixa_signature="").headers,
        exchange(guarded, b"\0\r\n\r\n")[0].headers,
    ]
    for carried in headers:
        assert {name: carried[name] for name in SECURITY} == SECURITY
        assert carried["content-security-policy"].startswith("default-src 'none'")
        assert re.fullmatch("[0-9a-f]{32}", carried["x-request-id"])
        assert "server" not in carried


@pytest.mark.parametrize("given", ["abc-123", "4b6f1f0e-6a51-4f0c-9a3e-0d6a4f4b7c10", "A_b.9"])
def test_a_request_id_from_a_proxy_is_kept(shared: Running, given: str) -> None:
    answer = shared.client.get("/healthz", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "<script>", "a,b", "\x1b[31m", "a\xe9"])
def test_a_hostile_request_id_is_replaced(shared: Running, given: str) -> None:
    header = f"X-Request-Id: {given}"
    [reply] = exchange(shared, request("GET /healthz", header))
    assert reply.status in (200, 400)
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])


# What logs tell


def test_logs_tell_why_something_was_refused_and_nothing_that_people_wrote(
    serve: Serve, sqlite_url: str, day_lines: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("httpx", "httpcore"):  # they are the client's
        caplog.set_level(logging.WARNING, name)
    caplog.set_level(logging.DEBUG)
    server = serve(sqlite_url, api_tokens=TOKEN, webhook_authorization=f"Basic {MARK}")
    secret = {"authorization": f"Basic {MARK}"}
    kept = day_lines[1].replace(b"Where is my tent?", MARK.encode())
    for body in (
        kept,
        MARK.encode(),
        b'"%s"' % MARK.encode(),
        b'{"event_id": "e", "event_fqn": "%s", "event_timestamp": "%s"}' % ((MARK.encode(),) * 2),
        kept.replace(MARK.encode(), b"the same id with another text, " + MARK.encode()),
    ):
        assert server.post(body, **secret).status_code == 200
    reader = {"Authorization": f"Bearer {TOKEN}"}
    for path in (f"/v1/conversations?text={MARK}", f"/v1/conversations?{MARK}={MARK}", f"/{MARK}"):
        server.client.get(path, headers=reader)
    server.post(kept, x_dixa_signature="", x_request_id="of-a-refusal", **secret)
    server.post(kept, authorization=f"Bearer {MARK}")
    server.client.get("/v1/stats", headers={"Authorization": f"Bearer {MARK}"})
    eventually(lambda: len(requests(caplog)) >= 11)
    written = [str(vars(record)) + record.getMessage() for record in caplog.records]
    assert not [line for line in written if re.search(rf"{MARK}|{TOKEN}|{SECRET}", line)]
    [refusal] = [one for one in requests(caplog) if one["request_id"] == "of-a-refusal"]
    assert refusal["refused"] == "missing"
    assert "X-DIXA-SIGNATURE" in refusal["why"]
    assert (refusal["status"], refusal["route"]) == (401, "/webhooks/dixa")


def requests(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == "request"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    program = [str(Path(sys.executable).with_name("dixa-state")), "serve", "--port", "0"]
    own = {
        "DIXA_STATE_WEBHOOK_SECRETS": SECRET,
        "DIXA_STATE_LOG_FORMAT": "json",
        "DIXA_STATE_STORE": f"sqlite:///{tmp_path}/store.db",
    }
    with subprocess.Popen(
        program, env=os.environ | own, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_logs_for_machines_are_one_json_object_a_line(service: "subprocess.Popen[str]") -> None:
    assert service.stderr
    line = ""
    while not (found := re.search(r"serving on (http://\S+);", line)):
        line = service.stderr.readline()
        assert line, "it has ended"
    headers = {"X-Request-Id": "of-mine"}
    httpx.get(f"{found[1]}/v1/stats?channel={MARK}", headers=headers).raise_for_status()
    httpx.post(f"{found[1]}/webhooks/dixa", content=b"{}", headers=headers)
    asked, sent = (json.loads(service.stderr.readline()) for _ in range(2))
    common = {"event": "request", "request_id": "of-mine", "client": "127.0.0.1"}
    assert (
        asked.items() >= (common | {"route": "/v1/stats", "status": 200, "level": "info"}).items()
    )
    assert sent.items() >= (common | {"refused": "missing", "status": 401}).items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", asked["at"])
