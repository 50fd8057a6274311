"""Measuring beside something: the same machine, the same minutes, in turns; medians and ratios."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

ROUNDS = 3

Measure = Callable[[], float]


@dataclass(frozen=True)
class Beside:
    """What ours is compared with, and which ratio of ours to it is wanted.

    `at_least` for rates and `at_most` for times and sizes; with neither it is only shown.
    """

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Result:
    """One line of the table: what was measured, on which store, and beside what."""

    name: str
    store: str
    unit: str
    ours: float
    beside: tuple[Beside, ...] = ()
    at_most: float | None = None
    remark: str = ""

    def ratio(self, other: Beside) -> float:
        """Give ours in terms of another."""
        return self.ours / other.value if other.value else float("inf")

    @property
    def met(self) -> bool | None:
        """Whether every target is met; None where there is none."""
        verdicts = [self.ours <= self.at_most] if self.at_most is not None else []
        for other in self.beside:
            ratio = self.ratio(other)
            if other.at_least is not None:
                verdicts.append(ratio >= other.at_least)
            if other.at_most is not None:
                verdicts.append(ratio <= other.at_most)
        return all(verdicts) if verdicts else None


def in_turns(variants: Mapping[str, Measure], rounds: int = ROUNDS) -> dict[str, float]:
    """Measure each in turn, several times, and give the medians."""
    found: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, measure in variants.items():
            found[name].append(measure())
    return {name: median(values) for name, values in found.items()}


def medians(found: Sequence[object], name: str) -> float:
    """Return the median of a figure of several measurements."""
    return median(getattr(one, name) for one in found)


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Give what tells the seconds since the beginning, or of the whole once it has ended."""
    began = perf_counter()
    ended: list[float] = []
    yield lambda: (ended[0] if ended else perf_counter()) - began
    ended.append(perf_counter())


def percentile(values: list[float], share: float) -> float:
    """Give a percentile by nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def megabytes(session: int) -> float:
    """Sum up the memory of a session's processes; what several share counts once."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                lines = (process / "smaps_rollup").read_text().splitlines()
                found += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return found / 1024
