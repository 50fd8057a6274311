"""A stage for faults: one service under load on one store, asked and judged all the time."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from shutil import rmtree
from subprocess import run
from time import monotonic

from clusters import Cluster, cluster
from judgement import Judge, conclude
from ledger import Ledger
from load import Load
from prober import Prober
from programs import HarnessError, Program, Programs, until
from proxy import Proxy
from stock import Stock

_SLACK = 4 << 20
_DISK = "768m"
_POSTGRES = {
    "max_connections": 40,
    "max_wal_size": "64MB",
    "synchronous_commit": "off",  # what is told must be on disk all the same
    "wal_writer_delay": "10s",
}


class Stage:
    """All that a fault may lay its hands on."""

    def __init__(self, folder: Path, disk: Path | None, seed: int) -> None:
        self.folder = folder
        self.disk = disk
        self.dice = Random(f"faults {seed}")
        self.clock = folder / "clock"
        self.clock.write_text("0")
        self.load: Load
        self.programs: Programs
        self.server: Program
        self.prober: Prober
        self.judge: Judge
        self.cluster: Cluster | None = None
        self.proxy: Proxy | None = None

    @property
    def database(self) -> Cluster:
        """The PostgreSQL server."""
        if self.cluster is None:
            raise HarnessError("this stage has no PostgreSQL")
        return self.cluster

    @property
    def network(self) -> Proxy:
        """What is between the service and PostgreSQL."""
        if self.proxy is None:
            raise HarnessError("this stage has no network")
        return self.proxy

    def serve(self) -> None:
        """Start the service, and lead load and questions to it."""
        self.server = self.programs.serve()
        self.load.addresses = (self.server.address(),)

    def appended(self) -> int:
        """Give how many events were answered as appended."""
        if self.load.answered and not self.server.alive:
            raise HarnessError(f"the service has ended: {self.server.said().decode()[-3000:]}")
        return self.load.ledger.answers["appended"]

    def takes_more(self, seconds: float) -> float:
        """Wait until another webhook is kept; give how long that took."""
        begun, before = monotonic(), self.appended()
        until(lambda: self.appended() > before, seconds, "another webhook that is kept")
        return monotonic() - begun

    def shows_all(self, seconds: float) -> float:
        """Wait until the views show what is stored now; give how long that took."""
        begun, position = monotonic(), self.load.ledger.highest
        until(lambda: self.prober.views_position() >= position, seconds, "views that follow")
        return monotonic() - begun

    def fill_disk(self) -> Path:
        """Leave no room on the disk; give the file that takes it."""
        if self.disk is None:
            raise HarnessError("no disk of our own to be filled")
        ballast = self.disk / "ballast"
        try:
            file = ballast.open("wb")
        except OSError as error:
            sizes = {str(one): one.stat().st_size for one in self.disk.rglob("*")}
            raise HarnessError(f"{error}, before it was filled: {sizes}") from error
        with suppress(OSError), file:
            block = bytes(1 << 16)
            while file.write(block) == len(block):
                file.flush()
        return ballast

    def finish(self) -> list[str]:
        """Let everything be taken and shown, end the service, and judge the store."""
        self.load.finish()
        self.shows_all(60)
        self.prober.resting = True
        found = [*self.load.ledger.findings, *self.prober.findings, *self.server.tracebacks()]
        if (code := self.server.stop()) != 0:
            found.append(f"serve ends with {code} when it is told to: {self.server.said()!r}")
        found += self.judge.check_views()
        return found + conclude(self.programs, self.load.ledger)


@contextmanager
def stage(kind: str, seed: int, command: Sequence[str], rest: float) -> Iterator[Stage]:
    """Set a stage on SQLite or PostgreSQL, on a small disk of its own where that may be mounted.

    `command` is the program that serves; each client rests so many seconds after an answer.
    """
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    with ExitStack() as stack:
        stack.callback(rmtree, folder, ignore_errors=True)
        disk = stack.enter_context(_disk(folder))
        made = Stage(folder, disk, seed)
        store = _store(made, kind, stack)
        made.programs = Programs(store, folder, command=command, settings={})
        os.environ["TORTURE_CLOCK"] = str(made.clock)
        stack.callback(os.environ.pop, "TORTURE_CLOCK")
        stack.callback(made.programs.close)
        ledger = Ledger()
        made.judge = Judge(_directly(made, store), ledger)
        made.load = Load(Stock(seed), ledger, clients=12, rest=rest, seed=seed)
        made.serve()
        if made.cluster is not None:
            made.cluster.execute("CHECKPOINT")  # so that a crash can lose no more than the load
        stack.enter_context(made.load)
        made.prober = stack.enter_context(Prober(made.server))
        yield made


def _store(made: Stage, kind: str, stack: ExitStack) -> str:
    place = made.disk or made.folder
    if kind == "sqlite":
        return f"sqlite:///{place}/store.db"
    data = Path(tempfile.mkdtemp(prefix="pg-", dir=place)) if made.disk else None
    made.cluster = stack.enter_context(cluster(_POSTGRES, folder=data))
    made.proxy = stack.enter_context(Proxy(made.cluster.port))
    return made.cluster.url(port=made.proxy.port)


def _directly(made: Stage, store: str) -> str:
    """Give the store without the network that fails."""
    return made.cluster.url() if made.cluster is not None else store


@contextmanager
def _disk(folder: Path) -> Iterator[Path | None]:
    """Mount a small disk; None where that is not allowed."""
    disk = folder / "disk"
    disk.mkdir()
    disk.chmod(0o755)
    folder.chmod(0o755)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=755", "torture", str(disk)]
    try:
        mounted = run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield disk if mounted else None
    finally:
        if mounted:
            run(["umount", "-l", str(disk)], capture_output=True, check=False)
