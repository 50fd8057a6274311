"""Fuzz: odd inputs wherever something comes in from outside; nothing but what is documented."""

import signal
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from random import Random
from time import monotonic, process_time
from types import FrameType

import click
from asking_targets import PageKeys, Requests, Searches
from body_target import Bodies
from reports import CONSOLE, Report, with_report, with_seed
from targets import Files, Settings, Signature, Target, Time
from tracing import Lines, traced

TARGETS: Mapping[str, type[Target]] = {
    target.name: target
    for target in (Signature, Time, Settings, Files, Bodies, PageKeys, Searches, Requests)
}
FOUND = Path(__file__).with_name("found")
"""Inputs that broke something once; a test tries them for ever."""

PATIENCE = 5.0
"""Seconds that an input may take; of inputs that are bounded in size, none needs a tenth."""

_TRACED = 0.2
_MOST_FINDINGS = 5


class HangError(BaseException):
    """An input takes too long; no `except Exception` may swallow that."""


class Fuzzer:
    """Tries one target: changed inputs, and further changes to those that reach new lines."""

    def __init__(self, target: Target, seed: int) -> None:
        self._target = target
        self._dice = Random(f"fuzz {target.name} {seed}")
        self._corpus = list(target.seeds())
        self._lines: Lines = set()
        self.tried = 0
        self.slowest = 0.0
        self.findings: dict[str, tuple[str, bytes]] = {}

    def go(self, seconds: float) -> None:
        """Try inputs for so long, the good ones first."""
        until = monotonic() + seconds
        for data in self._corpus:
            self._try(data, self._watched)
        while monotonic() < until and len(self.findings) < _MOST_FINDINGS:
            data = self._target.changed(self._dice.choice(self._corpus), self._corpus, self._dice)
            look = self._dice.random() < _TRACED
            self._try(data, self._watched if look else self._target.attempt)

    def row(self) -> dict[str, object]:
        """Tell how it went."""
        return {
            "target": self._target.name,
            "inputs": self.tried,
            "lines reached": len(self._lines),
            "corpus": len(self._corpus),
            "slowest, ms": round(1e3 * self.slowest),
            "findings": len(self.findings),
        }

    def _watched(self, data: bytes) -> None:
        with traced() as lines:
            self._target.attempt(data)
        if not lines <= self._lines:
            self._lines |= lines
            self._corpus.append(data)

    def _try(self, data: bytes, attempt: Callable[[bytes], None]) -> None:
        begun = process_time()
        try:
            with bounded(self._target.patience or PATIENCE):
                attempt(data)
        except (Exception, HangError) as error:  # noqa: BLE001 — whatever it is, it is a finding
            self.findings.setdefault(_place(error), (_told(error), data))
        self.tried += 1
        self.slowest = max(self.slowest, process_time() - begun)


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _place(error: BaseException) -> str:
    """Name where an error came from, so that each is found once."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"


def _told(error: BaseException) -> str:
    """Give an error with its way, in one line."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    way = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
    return f"{type(error).__name__}: {error} [{way}]"[:1_000].replace("\n", " ")


def torture(seconds: Mapping[str, float], seed: int, **urls: str) -> Report:
    """Fuzz targets, each for so many seconds; the databases of the last three may be given."""
    report = Report("fuzz", {"seed": seed})
    for name, span in seconds.items():
        CONSOLE.print(f"fuzz {name}: {span:.0f} s")
        kind = TARGETS[name]
        with kind(**urls) if urls and issubclass(kind, _WITH_DATABASES) else kind() as target:
            fuzzer = Fuzzer(target, seed)
            fuzzer.go(span)
            report.findings += [f"{name}: {told}" for told, _ in fuzzer.findings.values()]
            report.findings += [f"{name}: {told}" for told in target.conclude()]
        report.findings += _kept(name, [data for _, data in fuzzer.findings.values()])
        report.rows.append(fuzzer.row())
    return report


_WITH_DATABASES = (Bodies, PageKeys, Searches, Requests)


def _kept(name: str, inputs: list[bytes]) -> Iterator[str]:
    """Keep what broke something for the tests."""
    for data in inputs:
        path = FOUND / name / blake2b(data, digest_size=6).hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        yield f"{name}: the input is kept in {path}: {b64encode(data[:60]).decode()}"


@click.command("fuzz")
@click.option("--minutes", type=click.FloatRange(0.01), default=5.0, show_default=True, metavar="M")
@click.option(
    "--target", "names", multiple=True, type=click.Choice(list(TARGETS)), help="Not all of them."
)
@with_seed
@with_report
def command(minutes: float, names: tuple[str, ...], seed: int, path: Path | None) -> None:
    """Try odd inputs wherever something comes in from outside.

    Good inputs are changed, and what reaches new lines is changed further. Only the errors that are
    documented may come of it, soon; what is admitted must be stored, folded and shown as it is. An
    input that breaks something is kept in tests/torture/found, where a test tries it again.
    """
    chosen = names or tuple(TARGETS)
    spans = dict.fromkeys(chosen, 60 * minutes / len(chosen))
    report = torture(spans, seed)
    report.options = {"minutes": minutes, "seed": seed}
    sys.exit(report.conclude(path))
