"""`send` and `simulate --send`: bodies reach a service signed as Dixa signs, and are counted."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from servers import SECRET, Running

from dixa_state.cli import run
from dixa_state.dixa.signature import parse_secrets
from dixa_state.errors import InvalidInputError, StoreUnavailableError
from dixa_state.files import sending
from dixa_state.files.sending import Target, read_target, send

OTHER = "ff" * 32
URL = "http://127.0.0.1:8000"
WEBHOOKS = f"{URL}/webhooks/dixa"


@pytest.fixture
def sent(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command that sends; return its exit code, its counts and its messages."""

    def command(*words: object) -> tuple[int, dict[str, Any], str]:
        code = run([str(word) for word in (*words, "--secret", SECRET)])
        shown = capsys.readouterr()
        return code, json.loads(shown.out or "{}"), shown.err

    return command


def test_a_file_is_sent_and_what_becomes_of_each_body_is_counted(
    sqlite_server: Running, sent: Callable[..., Any], data: Path
) -> None:
    words = ["send", data / "day.jsonl", "--to", sqlite_server.url, "--json"]
    code, counts, said = sent(*words)
    assert (code, said) == (0, "")
    assert counts | {"seconds": 0} == {
        "sent": 45,
        "appended": 45,
        "duplicate": 0,
        "quarantined": 0,
        "refused": 0,
        "retries": 0,
        "seconds": 0,
    }
    assert sent(*words)[1]["duplicate"] == 45


def test_what_is_refused_is_exit_code_1_and_says_why_once(
    sqlite_server: Running, data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bad.jsonl").write_text("{half\n")
    words = [str(data / "day.jsonl"), str(tmp_path / "bad.jsonl"), "--to", sqlite_server.url]
    assert run(["send", *words, "--anyway", "--secret", OTHER]) == 1
    shown = capsys.readouterr()
    assert "refused      46" in shown.out
    assert shown.err == "46 refused: 401: expected a webhook that Dixa signed\n"
    assert run(["send", *words[1:], "--secret", SECRET]) == 1
    assert "bad.jsonl: expected a webhook among the first 20 bodies" in capsys.readouterr().err
    assert run(["send", *words[1:], "--anyway", "--secret", SECRET]) == 0
    assert "1 quarantined: expected JSON, got '{half'" in capsys.readouterr().err


def test_a_file_that_breaks_off_does_not_stop_the_others(
    sqlite_server: Running, sent: Callable[..., Any], data: Path
) -> None:
    words = ["nowhere.jsonl", data / "day.jsonl", "--to", sqlite_server.url, "--json"]
    code, counts, said = sent("send", *words)
    assert (code, counts["appended"]) == (1, 45)
    assert "dixa-state: nowhere.jsonl: expected a readable file" in said


def test_a_simulation_is_sent_as_it_is_made(
    sqlite_server: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", "--conversations", "5", "--seed", "1", str(tmp_path / "out.jsonl")]
    assert run([*words, "--send", sqlite_server.url, "--secret", SECRET]) == 0
    many = len((tmp_path / "out.jsonl").read_bytes().splitlines())
    assert f"appended     {many}" in capsys.readouterr().out
    assert sqlite_server.service.reader.newest() == many


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "ftp://example.com"], "expected an address such as http://127.0.0.1:8000"),
        (["--to", URL], "set DIXA_STATE_WEBHOOK_SECRETS, or give --secret"),
        (["--to", URL, "--secret", "beef"], "at least 32, got 4"),
    ],
)
def test_what_cannot_be_sent_is_wrong_usage(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["send", "-", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "secrets", "target"),
    [
        (URL, f"a={OTHER},{SECRET}", Target(WEBHOOKS, bytes.fromhex(SECRET))),
        (f"{URL}/", f"a={OTHER}", Target(WEBHOOKS, bytes.fromhex(OTHER), "a")),
        (f"{URL}/in/dixa", SECRET, Target(f"{URL}/in/dixa", bytes.fromhex(SECRET))),
        (URL, f"organization:a={SECRET}", Target(WEBHOOKS, bytes.fromhex(SECRET))),
    ],
)
def test_the_address_and_the_secret_are_those_of_the_service(
    address: str, secrets: str, target: Target
) -> None:
    assert read_target(address, parse_secrets(secrets)) == target
    assert SECRET not in repr(target)


def test_an_address_holds_no_password() -> None:
    with pytest.raises(InvalidInputError):
        read_target("http://me:hunter2@127.0.0.1", parse_secrets(SECRET))


class Busy(ThreadingHTTPServer):
    """A service that cannot store the first few webhooks."""

    def __init__(self, failures: int) -> None:
        super().__init__(("127.0.0.1", 0), _Busy)
        self.failures = failures
        self.url = f"http://127.0.0.1:{self.server_port}/webhooks/dixa"


class _Busy(BaseHTTPRequestHandler):
    server: Busy

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.failures -= 1
        self.send_response(503 if self.server.failures >= 0 else 204)
        self.send_header("Retry-After", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[Callable[[int], Busy]]:
    started: list[Busy] = []

    def start(failures: int) -> Busy:
        started.append(Busy(failures))
        threading.Thread(target=started[-1].serve_forever, args=(0.01,)).start()
        return started[-1]

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_what_cannot_be_stored_now_is_sent_again(busy: Callable[[int], Busy]) -> None:
    server = busy(3)
    [sent] = send([b"{}"], Target(server.url, b"key"))
    assert sent == ("accepted", None, 3)


def test_it_gives_up_after_some_attempts(busy: Callable[[int], Busy]) -> None:
    server = busy(1_000)
    with pytest.raises(StoreUnavailableError, match="got after 6 attempts: 503: Service Unav"):
        list(send([b"{}"] * 50, Target(server.url, b"key")))
    assert server.failures > 1_000 - 50 * sending.ATTEMPTS  # the rest was not tried
