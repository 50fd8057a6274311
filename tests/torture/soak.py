"""Soak: a steady rate of webhooks, with readers and subscribers, for as long as one likes."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, pairwise
from pathlib import Path
from statistics import mean, median, quantiles
from threading import Event as Signal
from threading import Thread
from time import monotonic

import click
import psutil
import psycopg
from boards import OPENED_EVERY, Boards
from judgement import conclude
from kill import stores
from ledger import Ledger
from listener import Listener
from load import Load
from prober import Prober
from programs import HarnessError, Program, Programs, until
from reports import Report, progress, with_report, with_seed
from stock import Stock

from dixa_state import open_tracker
from dixa_state.bootstrap import open_views

CLIENTS = 64
SWITCH = 0.0005  # seconds: else 64 clients in this process delay the clock that looks at the views
LISTENERS = 3
_EVERY = 1.0
_PRECISION = 0.01  # seconds: to look at the views more often would load the database
_START = 0.1  # of the webhooks
_WARM_UP = 0.5  # of the time: caches fill meanwhile
_GROWTH = 1.10
_LAG = 0.1
_SLOWER = 1.10
_TURNS, _PAIRS = 0.7, 3  # of the time, and how often both kinds of phases come
_WAL = {"sqlite": 128 << 20, "postgres": 2 << 30}  # bytes: a checkpoint follows at half of it


class Watch:
    """What a service takes and how far its views are behind, noted all the time."""

    def __init__(self, store: str, server: Program, ledger: Ledger) -> None:
        self.memory: list[int] = []
        self.wal = 0
        self.lags: list[float] = []
        self._store, self._server, self._ledger = store, server, ledger
        self._stop = Signal()
        self._threads = [Thread(target=run, daemon=True) for run in (self._sizes, self._views)]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _sizes(self) -> None:
        service = psutil.Process(self._server.process.pid)
        while not self._stop.wait(_EVERY):
            with suppress(psutil.NoSuchProcess):
                processes = (service, *service.children())
                self.memory.append(sum(one.memory_info().rss for one in processes))
            self.wal = max(self.wal, _wal(self._store))

    def _views(self) -> None:
        """Measure for each webhook how long after its answer the views have it."""
        waiting = self._ledger.positions
        with open_tracker(self._store, create=False) as tracker:
            views = open_views(tracker.event_recorder)
            while not self._stop.wait(_PRECISION):
                if waiting:
                    reached, now = views.progress().position, monotonic()
                    while waiting and waiting[0][0] <= reached:
                        self.lags.append(now - waiting.popleft()[1])
            views.close()

    def lag(self, percent: int) -> float:
        """Give a percentile of the lag in seconds, without the start of the service."""
        return quantiles(self.lags[int(len(self.lags) * _START) :], n=100)[percent - 1]

    def findings(self, kind: str) -> list[str]:
        settled = self.memory[int(len(self.memory) * _WARM_UP) :]
        third = max(len(settled) // 3, 1)
        growth = mean(settled[-third:]) / mean(settled[:third])
        lag = self.lag(99)
        found = [f"memory has grown to {growth:.0%}"] if growth > _GROWTH else []
        found += (
            [f"the log of the database has {self.wal:,} bytes"] if self.wal > _WAL[kind] else []
        )
        return found + ([f"the views are {lag:.3f} s behind at p99"] if lag > _LAG else [])


class Turns:
    """Phases without and with open boards, in turns: what else slows the machine slows both.

    A phase with boards is held against those before and after it, since answers take longer as the
    store grows.
    """

    def __init__(self, load: Load, server: Program, count: int, seconds: float) -> None:
        self.findings: list[str] = []
        self._load, self._server, self._count = load, server, count
        self._pairs = _PAIRS if count else 0
        self._seconds = (seconds - self._pairs * count * OPENED_EVERY) / (2 * self._pairs + 1)
        self._alone: list[list[float]] = []
        self._beside: list[list[float]] = []
        self._updates = 0

    def take(self) -> None:
        self._alone.append(self._answers())
        for _ in range(self._pairs):
            boards = Boards(self._server.address(), self._count)
            until(lambda: boards.opened >= self._count, 60, "the open boards")  # noqa: B023
            self._beside.append(self._answers())
            boards.end()
            self._updates += boards.updates
            self.findings += boards.findings
            self._alone.append(self._answers())
        around = [mean(map(median, pair)) for pair in pairwise(self._alone)]
        slower = [median(b) / a for a, b in zip(around, self._beside, strict=True)]
        if slower and median(slower) > _SLOWER:
            self.findings.append(f"with open boards answers take {median(slower):.0%}")

    def _answers(self) -> list[float]:
        """Give the times of the answers of a phase."""
        begun, end = len(self._load.times), monotonic() + self._seconds
        times = self._load.times
        until(
            lambda: monotonic() > end and len(times) > begun + 1,
            self._seconds + 60,
            "the end of a phase",
        )
        return times[begun:]

    @property
    def figures(self) -> dict[str, object]:
        parts = {"": self._alone} | ({" with boards": self._beside} if self._beside else {})
        return {
            f"{name}{which}, ms": [round(measure(times) * 1_000, 1) for times in phases]
            for name, measure in (("p50", median), ("p99", _p99))
            for which, phases in parts.items()
        } | {"updates of boards": self._updates}


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


def _wal(store: str) -> int:
    if store.startswith("sqlite"):
        with suppress(FileNotFoundError):
            return Path(store.removeprefix("sqlite:///") + "-wal").stat().st_size
        return 0
    with psycopg.connect(store, user="postgres") as connection:
        row = connection.execute("SELECT sum(size)::bigint FROM pg_ls_waldir()").fetchone()
    return int(row[0]) if row else 0


def torture(  # noqa: PLR0913 — what a run differs by
    store: str, folder: Path, *, rate: int, seconds: float, seed: int, open_boards: int = 0
) -> Report:
    """Keep up a rate of webhooks; all are answered 200, and nothing grows but the store.

    Once caches are full, phases without and with open boards take turns.
    """
    kind = "postgres" if store.startswith("postgres") else "sqlite"
    report = Report("soak", {"store": kind, "rate": rate, "seed": seed})
    ledger, programs = Ledger(), Programs(store, folder)
    sys.setswitchinterval(SWITCH)
    gc.disable()  # what is noted here grows, and to look through it would delay the load
    try:
        server = programs.serve()
        stock = Stock(seed, ahead=round(rate * seconds))
        load = Load(stock, ledger, clients=CLIENTS, rest=CLIENTS / rate, seed=seed)
        load.addresses = (server.address(),)
        listeners = [Listener(load.addresses, seed + number) for number in range(LISTENERS)]
        watch = Watch(store, server, ledger)
        with load, Prober(server) as prober, watch.running():
            end = monotonic() + seconds
            until(
                lambda: load.answered and monotonic() > end - _TURNS * seconds, seconds + 60, "it"
            )
            turns = Turns(load, server, open_boards, _TURNS * seconds)
            turns.take()
            until(lambda: monotonic() > end, seconds + 60, "the end")
            answered = load.answered
            load.finish()
            prober.resting = True
            until(lambda: not ledger.positions, 60, "the views")
        for listener in listeners:
            listener.end()
        report.findings += chain(
            ledger.findings,
            prober.findings,
            turns.findings,
            *(listener.findings for listener in listeners),
            [f"{load.refused} webhooks were refused"] if load.refused else [],
            [f"only {answered / seconds:.0f} a second"] if answered < 0.9 * rate * seconds else [],
            watch.findings(kind),
            server.tracebacks(),
            [f"serve ends with {code}"] if (code := server.stop()) else [],
            conclude(programs, ledger),
        )
        report.figures |= {
            "webhooks": answered,
            "a second": round(answered / seconds),
            "longest answer, s": round(load.longest, 2),
            **turns.figures,
            "lag p50, p99, ms": [round(watch.lag(part) * 1_000) for part in (50, 99)],
            "memory, MB": [size >> 20 for size in watch.memory[:: max(len(watch.memory) // 6, 1)]],
            "log, MB": watch.wal >> 20,
        }
    except HarnessError as error:
        report.findings.append(str(error))
    finally:
        programs.close()
        gc.enable()
    return report


@click.command("soak")
@click.option("--store", "kind", type=click.Choice(["sqlite", "postgres"]), multiple=True)
@click.option("--rate", type=click.IntRange(1), default=300, show_default=True, metavar="N")
@click.option("--minutes", type=click.FloatRange(0.1), default=10, show_default=True, metavar="N")
@click.option("--boards", type=click.IntRange(0), default=0, show_default=True, metavar="N")
@with_seed
@with_report
def command(  # noqa: PLR0913 — its options
    *, kind: tuple[str, ...], rate: int, minutes: float, boards: int, seed: int, path: Path | None
) -> None:
    """Send so many webhooks a second, with readers and subscribers; nothing may grow.

    Phases without and with open boards take turns; with them, answers may take no tenth longer.
    """
    whole = Report("soak", {"rate": rate, "minutes": minutes, "boards": boards, "seed": seed})
    kinds = kind or ("postgres", "sqlite")
    with progress("soak", len(kinds)) as done:
        for one in kinds:
            with stores(one) as (store, folder):
                report = torture(
                    store,
                    folder,
                    rate=rate,
                    seconds=minutes * 60,
                    seed=seed,
                    open_boards=boards,
                )
            whole.rows.append({"store": one, **report.figures})
            whole.findings += [f"{one}: {finding}" for finding in report.findings]
            done(f"{one}, {len(whole.findings)} findings")
    sys.exit(whole.conclude(path))
