"""Kill: the program ends at any moment, without warning, and goes on where it was."""

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from time import monotonic, sleep
from urllib.parse import urlsplit

import click
import httpx
from clusters import FAST, cluster
from judgement import Judge, conclude, shown
from ledger import Ledger
from load import Load
from programs import INSTALLED, STARTS_WITHIN, HarnessError, Program, Programs, until
from reports import Report, progress, with_report, with_seed
from stock import Stock

CAUGHT_UP_WITHIN = 120.0
_LONGEST_START = 1.5
_LONGEST_ROUND = 0.7


class Rounds:
    """Rounds on one store: each starts what is missing, and kills some of it under load."""

    def __init__(self, programs: Programs, load: Load, seed: int) -> None:
        self._programs = programs
        self._load = load
        self._dice = Random(f"kill {seed}")
        self._judge = Judge(programs.store, load.ledger)
        self._several = programs.store.startswith("postgres")
        self._servers: list[Program] = []
        self._replay: Program | None = None
        self.kills = {"server": 0, "server starting": 0, "replay": 0}
        self.seconds: list[float] = []

    def go(self) -> list[str]:
        """Do a round, and give what is not as it should be after it."""
        begun = monotonic()
        early = self._dice.random() < 0.5
        self._start()
        self._load_for(self._dice.uniform(0, _LONGEST_ROUND))
        self._kill()
        if early:  # before the next server has seen what the last one has left
            found = self._check()
            self._start()
        else:
            self._start()
            found = self._check()
        self.seconds.append(monotonic() - begun)
        return found

    def _check(self) -> list[str]:
        return self._judge.check() + self._judge.check_views()

    def finish(self) -> list[str]:
        """Let everything be taken and shown, and end what runs; it must end well."""
        self._start()
        self._load.finish()
        position = self._judge.position
        found = self._judge.check()
        found += _not_caught_up(self._servers[0], max(position, self._judge.position))
        for server in self._servers:
            server.address()  # one that still starts would not heed what it is told
            if (code := server.stop()) != 0:
                found.append(f"serve ends with {code} when it is told to: {server.said()!r}")
        if self._replay is not None:
            self._replay.wait(CAUGHT_UP_WITHIN)
        return found

    def _start(self) -> None:
        """Start servers until one serves; some are killed while they start."""
        if not self._several and self._dice.random() < 0.5:
            _let_leases_end(self._programs.store)
        wanted = 2 if self._several and self._dice.random() < 0.5 else 1
        self._servers = [server for server in self._servers if server.alive]
        new = [self._programs.serve() for _ in range(wanted - len(self._servers))]
        if new and self._dice.random() < 0.15:
            sleep(self._dice.uniform(0, _LONGEST_START))
            new.pop().kill()
            self.kills["server starting"] += 1
            new.append(self._programs.serve())
        self._servers += new
        if (self._replay is None or not self._replay.alive) and self._dice.random() < 0.25:
            self._replay = self._programs.start("replay")
        until(self._find, STARTS_WITHIN, "a server")

    def _find(self) -> bool:
        """Lead the load to the servers that serve; tell whether there is one."""
        self._load.addresses = tuple(filter(None, (server.place() for server in self._servers)))
        return bool(self._load.addresses)

    def _load_for(self, seconds: float) -> None:
        """Let the load run: to servers that still start, too, once they serve."""
        answered = self._load.answered
        until(lambda: self._load.answered > answered, STARTS_WITHIN, "an answer")
        end = monotonic() + seconds
        while monotonic() < end:
            sleep(seconds / 10)
            self._find()

    def _kill(self) -> None:
        """Kill the replay, a server, all servers, or all there is."""
        victims = self._dice.choice(
            [self._servers, self._servers, self._servers[:1], self._servers[-1:], []]
        )
        if self._replay is not None and (not victims or self._dice.random() < 0.5):
            self.kills["replay"] += self._replay.alive
            self._replay.kill()
        for victim in victims or self._servers[:1]:
            victim.kill()
            self.kills["server"] += 1


def _let_leases_end(store: str) -> None:
    """Let the lease of a projector that was killed be over: it lasts longer than a round."""
    with closing(sqlite3.connect(urlsplit(store).path[1:], timeout=60)) as connection, connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'lease'").fetchone():
            connection.execute("UPDATE lease SET until = 0 WHERE role = 'projector'")


def _not_caught_up(server: Program, position: int) -> list[str]:
    """Wait until the views show a position."""
    host, port = server.address()
    begun = monotonic()
    with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
        while monotonic() - begun < CAUGHT_UP_WITHIN:
            answer = client.get("/v1/stats", params={"min_position": position})
            if answer.is_success:
                return []
    return [f"the views do not reach {position}: {answer.text[:500]}"]


def torture(  # noqa: PLR0913 — two of them have defaults
    store: str,
    folder: Path,
    rounds: int,
    seed: int,
    *,
    rest: float = 0.0,
    command: Sequence[str] = INSTALLED,
) -> Report:
    """Do rounds on a store until something is found, and judge it at the end.

    Each client of the load rests so many seconds after an answer.
    """
    report = Report("kill", {"rounds": rounds, "store": store.partition(":")[0], "seed": seed})
    ledger = Ledger()
    programs = Programs(store, folder, command=command)
    try:
        with Load(Stock(seed), ledger, rest=rest, seed=seed) as load:
            turns = Rounds(programs, load, seed)
            try:
                report.findings += _do(turns, rounds, ledger) or turns.finish()
            finally:
                report.figures |= _figures(turns, load)
        if not report.findings:
            report.findings += conclude(programs, ledger)
    except HarnessError as error:
        report.findings.append(str(error))
    finally:
        programs.close()
    report.findings += shown(list(_surprises(programs)))
    return report


def _do(turns: Rounds, rounds: int, ledger: Ledger) -> list[str]:
    with progress("kill", rounds) as done:
        for _ in range(rounds):
            found = turns.go()
            if found or ledger.findings:
                return shown(found + ledger.findings)
            done(f"{ledger.answers.total():,} answers")
    return []


def _figures(turns: Rounds, load: Load) -> dict[str, object]:
    return {
        "rounds done": len(turns.seconds),
        **{f"kills: {name}": count for name, count in turns.kills.items()},
        **{f"answers: {kind}": count for kind, count in sorted(load.ledger.answers.items())},
        "answers: 503": load.refused,
        "connections cut": load.broken,
        "longest answer, s": round(load.longest, 2),
        "a round, s": round(sum(turns.seconds) / max(len(turns.seconds), 1), 2),
    }


def _surprises(programs: Programs) -> Iterator[str]:
    for program in programs.started:
        yield from program.tracebacks()


@contextmanager
def stores(kind: str) -> Iterator[tuple[str, Path]]:
    """Give an empty store and a folder beside it; both go when they were used."""
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/store.db", folder
        else:
            with cluster(FAST) as server:
                yield server.url(), folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@click.command("kill")
@click.option("--rounds", type=click.IntRange(1), default=20, show_default=True, metavar="N")
@click.option("--store", "kind", type=click.Choice(["sqlite", "postgres"]), default="sqlite")
@with_seed
@with_report
def command(rounds: int, kind: str, seed: int, path: Path | None) -> None:
    """Kill servers and replays at random moments under load; nothing answered 200 may be lost."""
    with stores(kind) as (store, folder):
        report = torture(store, folder, rounds, seed)
    sys.exit(report.conclude(path))
