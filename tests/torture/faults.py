"""Faults: database, network, disk and clock fail; the service waits, and goes on."""

import resource
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click
import psycopg
from judgement import shown
from programs import HarnessError, until
from reports import Report, progress, with_report, with_seed
from shifted import COMMAND
from stage import Stage, stage

from dixa_state.web.server import READ_TIMEOUT

RECOVERS_WITHIN = 20.0
_HOUR = 3_600
_SLOW_FOR = 5.0
_BUFFERS_FULL_WITHIN = 120.0

Bring = Callable[[Stage], AbstractContextManager[None]]


class Fault(NamedTuple):
    """Something that fails for some seconds; `skip` says why it cannot be tried here."""

    name: str
    bring: Bring
    seconds: float
    skip: Callable[[Stage], str | None] = lambda _stage: None


# PostgreSQL


@contextmanager
def killed(on: Stage) -> Iterator[None]:
    on.database.kill()
    yield
    on.database.start()


@contextmanager
def stopped(on: Stage) -> Iterator[None]:
    on.database.stop(on.dice.choice(["fast", "immediate"]))
    yield
    on.database.start()


@contextmanager
def restarted(on: Stage) -> Iterator[None]:
    on.database.stop("fast")
    on.database.start()
    yield


@contextmanager
def paused(on: Stage) -> Iterator[None]:
    on.database.pause()
    yield
    on.database.resume()


@contextmanager
def slowed(on: Stage) -> Iterator[None]:
    """Let the database run for a small part of the time."""
    end = monotonic() + _SLOW_FOR
    while monotonic() < end:
        on.database.pause()
        sleep(0.2)
        on.database.resume()
        sleep(0.02)
    yield


@contextmanager
def thrown_out(on: Stage) -> Iterator[None]:
    """End all connections, again and again."""
    end = monotonic() + 3
    while monotonic() < end:
        on.database.terminate_clients()
        sleep(on.dice.uniform(0, 0.3))
    yield


@contextmanager
def out_of_connections(on: Stage) -> Iterator[None]:
    """Take all connections that there are, those of the service too, as soon as they are free."""
    held: list[psycopg.Connection[Any]] = []
    for _ in range(5):
        on.database.terminate_clients()
        with suppress(psycopg.OperationalError):
            while True:
                held.append(psycopg.connect(on.database.url("postgres")))
    yield
    for connection in held:
        connection.close()


@contextmanager
def read_only(on: Stage) -> Iterator[None]:
    alter = "ALTER DATABASE store SET default_transaction_read_only = "
    on.database.execute(alter + "on", database="postgres")
    on.database.terminate_clients()
    yield
    on.database.execute(alter + "off", database="postgres")
    on.database.terminate_clients()


@contextmanager
def postgres_disk_full(on: Stage) -> Iterator[None]:
    """Fill the disk; PostgreSQL may end by that, and is started again when there is room."""
    ballast = on.fill_disk()
    yield
    ballast.unlink()
    on.database.start()


# The network


@contextmanager
def network_slow(on: Stage) -> Iterator[None]:
    on.network.slow(0.1)
    yield
    on.network.flow()


@contextmanager
def network_stalls(on: Stage) -> Iterator[None]:
    on.network.stall()
    yield
    on.network.flow()


@contextmanager
def network_stalls_and_is_cut(on: Stage) -> Iterator[None]:
    on.network.stall()
    yield
    on.network.cut()
    sleep(1)
    on.network.flow()


@contextmanager
def network_cut(on: Stage) -> Iterator[None]:
    on.network.cut()
    yield
    on.network.flow()


# SQLite


@contextmanager
def sqlite_disk_full(on: Stage) -> Iterator[None]:
    ballast = on.fill_disk()
    yield
    ballast.unlink()


@contextmanager
def file_too_large(on: Stage) -> Iterator[None]:
    """Let no file of the service grow: a quota, as the system sees it."""
    process = on.server.process.pid
    soft, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def locked(on: Stage) -> Iterator[None]:
    """Let another program write, and not come to an end."""
    path = urlsplit(on.programs.store).path[1:]
    other = sqlite3.connect(path, isolation_level=None, timeout=60)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


# Any


@contextmanager
def service_paused(on: Stage) -> Iterator[None]:
    on.prober.resting = True
    on.server.pause()
    yield
    on.server.resume()
    on.prober.resting = False


@contextmanager
def clock_steps_back(on: Stage) -> Iterator[None]:
    on.clock.write_text(f"{-_HOUR}")
    yield


@contextmanager
def killed_and_clock_back(on: Stage) -> Iterator[None]:
    """Kill the service; when it starts again, it is an hour earlier."""
    on.prober.resting = True
    on.server.kill()
    on.clock.write_text(f"{float(on.clock.read_text()) - _HOUR}")
    on.serve()
    on.prober.server = on.server
    on.prober.resting = False
    yield


@contextmanager
def stream_never_read(on: Stage) -> Iterator[None]:
    """Ask for the live stream from the beginning, several times, and read nothing of it.

    The service must hang up, once buffers are full and the time to read is over: nobody
    may hold its memory or its places for ever.
    """
    readers = []
    for _ in range(5):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.connect(on.server.address())
        reader.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nLast-Event-ID: 0\r\n\r\n")
        readers.append(reader)
    yield
    ends = lambda: on.prober.ask("/readyz").json()["streams"] == 0  # noqa: E731
    until(ends, _BUFFERS_FULL_WITHIN + READ_TIMEOUT, "an end of live streams that nobody reads")
    for reader in readers:
        reader.close()


def _no_disk(on: Stage) -> str | None:
    return None if on.disk else "no right to mount a small disk"


EVERYWHERE = (
    Fault("the service stands still", service_paused, 7),
    Fault("streams that are never read", stream_never_read, 1),
    Fault("the clock steps back an hour", clock_steps_back, 3),
    Fault("killed, and the clock back another hour", killed_and_clock_back, 1),
)
FAULTS = {
    "postgres": (
        Fault("killed", killed, 2),
        Fault("stopped", stopped, 3),
        Fault("restarted", restarted, 0),
        Fault("stands still", paused, 4),
        Fault("stands still for longer than a commit may take", paused, 26),
        Fault("is slow", slowed, 0),
        Fault("throws its clients out", thrown_out, 0),
        Fault("has no connections left", out_of_connections, 4),
        Fault("is read-only", read_only, 3),
        Fault("disk full", postgres_disk_full, 4, _no_disk),
        Fault("network is slow", network_slow, 5),
        Fault("network stalls", network_stalls, 4),
        Fault("network stalls for longer than a commit may take", network_stalls, 26),
        Fault("network stalls, then is cut", network_stalls_and_is_cut, 4),
        Fault("network is cut", network_cut, 3),
        *EVERYWHERE,
    ),
    "sqlite": (
        Fault("disk full", sqlite_disk_full, 4, _no_disk),
        Fault("no file may grow", file_too_large, 4),
        Fault("locked by another program", locked, 4),
        Fault("locked for longer than a commit may take", locked, 26),
        *EVERYWHERE,
    ),
}


def torture(
    kind: str,
    seed: int,
    *,
    only: Sequence[str] = (),
    command: Sequence[str] = COMMAND,
    rest: float = 0.02,
) -> Report:
    """Bring one fault after the other to one service, and judge its store at the end.

    `only` names the faults, by some of their words; all, if none is named. `command` is the
    program; each client of the load rests so many seconds after an answer.
    """
    names = only or ("",)
    chosen = [fault for fault in FAULTS[kind] if any(words in fault.name for words in names)]
    report = Report("faults", {"store": kind, "seed": seed})
    with stage(kind, seed, command, rest) as on, progress(f"faults, {kind}", len(chosen)) as done:
        try:
            for fault in chosen:
                done(fault.name)
                report.rows.append(_suffer(on, fault))
                report.findings += on.judge.check() + on.load.ledger.findings + on.prober.findings
                if report.findings:
                    break
            else:
                report.findings += on.finish()
        except HarnessError as error:
            report.findings.append(f"{report.rows and report.rows[-1]}: {error}")
            report.findings += on.load.ledger.findings + on.prober.findings
        report.figures |= _figures(on)
    report.findings[:] = shown(report.findings)
    return report


def _suffer(on: Stage, fault: Fault) -> dict[str, Any]:
    """Bring a fault, end it, and wait until all is as before; give what happened meanwhile."""
    row: dict[str, Any] = {"store": on.programs.store.partition(":")[0], "fault": fault.name}
    if why := fault.skip(on):
        return row | {"skipped": why}
    try:
        on.takes_more(RECOVERS_WITHIN)
        on.load.longest = 0.0
        before = _counts(on)
        with fault.bring(on):
            sleep(fault.seconds)
        row |= {"s": fault.seconds} | {n: c - before[n] for n, c in _counts(on).items()}
        row["kept again after, s"] = round(on.takes_more(RECOVERS_WITHIN), 2)
        row["shown again after, s"] = round(on.shows_all(RECOVERS_WITHIN), 2)
        row["longest answer, s"] = round(on.load.longest, 2)
    except HarnessError as error:
        raise HarnessError(f"{fault.name}: {error} ({row})") from error
    return row


def _counts(on: Stage) -> dict[str, int]:
    load = on.load
    return {"200": load.answered, "503": load.refused, "cut": load.broken}


def _figures(on: Stage) -> dict[str, object]:
    return {
        **{f"answers: {kind}": count for kind, count in sorted(on.load.ledger.answers.items())},
        "answers: 503": on.load.refused,
        "connections cut": on.load.broken,
        **{f"longest {path}, s": round(s, 2) for path, s in on.prober.longest.items()},
        "probes": {path: dict(counts) for path, counts in on.prober.answers.items()},
    }


@click.command("faults")
@click.option("--store", "kind", type=click.Choice(["sqlite", "postgres"]), multiple=True)
@click.option("--only", multiple=True, metavar="WORDS", help="Only faults whose name has these.")
@with_seed
@with_report
def command(kind: tuple[str, ...], only: tuple[str, ...], seed: int, path: Path | None) -> None:
    """Let database, network, disk and clock fail under a service that is under load."""
    whole = Report("faults", {"seed": seed})
    for one in kind or FAULTS:
        report = torture(one, seed, only=only)
        whole.rows += report.rows
        whole.findings += report.findings
        whole.figures |= {f"{one}, {name}": figure for name, figure in report.figures.items()}
    sys.exit(whole.conclude(path))
