"""Concurrency: many write the same at the same time, in several processes, while others follow."""

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Event as Signal
from time import monotonic
from typing import NamedTuple

import click
from judgement import conclude, shown
from kill import stores
from ledger import Ledger
from listener import Listener
from load import Load
from programs import INSTALLED, HarnessError, Program, Programs, until
from pydantic_core import from_json
from reports import Report, progress, with_report, with_seed
from stock import Piece, Stock
from tail import Seen, TailingProcess, TailingThread, follow

from dixa_state.bootstrap import open_recorder

_CAUGHT_UP_WITHIN = 120.0
_ENDS_WITHIN = 300.0

Conversations = dict[tuple[str, int], int]


class Size(NamedTuple):
    """How many there are of each; a pair of readers is a thread and a process."""

    servers: int
    ingests: int
    pairs: int
    listeners: int


SMALL = Size(2, 2, 1, 1)
GREAT = Size(3, 3, 2, 2)


class Crowd(NamedTuple):
    """All that is at one store at the same time."""

    servers: list[Program]
    ingests: list[Program]
    tails: list[TailingThread | TailingProcess]
    listeners: list[Listener]


def torture(  # noqa: PLR0913 — two of them have defaults
    store: str,
    folder: Path,
    bodies: int,
    seed: int,
    *,
    size: Size = GREAT,
    rest: float = 0.0,
    command: Sequence[str] = INSTALLED,
) -> Report:
    """Let a crowd write the same bodies and follow them; judge the store and what was seen.

    Each client of the load rests so many seconds after an answer.
    """
    kind = "postgres" if store.startswith("postgres") else "sqlite"
    if kind == "sqlite":
        size = size._replace(servers=1)  # it is for one service, but for any other commands
    report = Report("concurrency", {"store": kind, "bodies": bodies, "seed": seed})
    ledger = Ledger()
    programs = Programs(store, folder, command=command)
    with Load(Stock(seed, at_once=4), ledger, clients=48, rest=rest, seed=seed) as load:
        try:
            crowd = _gather(programs, load, _pieces(bodies // 2, seed), seed, size)
            report.findings += _work(crowd, load, bodies)
            report.findings += _judge(programs, crowd, load, report)
        except HarnessError as error:
            report.findings.append(str(error))
        finally:
            programs.close()
    report.findings[:] = shown(report.findings)
    return report


def _pieces(number: int, seed: int) -> list[Piece]:
    """Give the first pieces of the stock that the load has, too: half of what it will send."""
    stock = Stock(seed)
    pieces: list[Piece] = []
    while len(pieces) < number:
        # `ingest` reads a body from each line, so none may hold a line break
        pieces += (piece._replace(raw=piece.raw.replace(b"\n", b" ")) for piece in stock.make())
    return pieces


def _gather(programs: Programs, load: Load, pieces: list[Piece], seed: int, size: Size) -> Crowd:
    """Start all: what writes the bodies from files begins last."""
    servers = [programs.serve() for _ in range(size.servers)]
    addresses = tuple(server.address() for server in servers)
    readers = (TailingThread, TailingProcess)
    tails = [make(programs.store, seed + n) for n in range(size.pairs) for make in readers]
    listeners = [Listener(addresses, seed + n) for n in range(size.listeners)]
    for piece in pieces:
        load.ledger.sends(piece)
    ingests = [_ingest(programs, pieces, seed + number) for number in range(size.ingests)]
    load.addresses = addresses
    return Crowd(servers, ingests, tails, listeners)


def _ingest(programs: Programs, pieces: list[Piece], seed: int) -> Program:
    """Write the same bodies in an order of its own, beside the others."""
    path = programs.folder / f"bodies-{seed}.jsonl"
    mixed = [piece.raw for piece in pieces]
    Random(seed).shuffle(mixed)
    path.write_bytes(b"\n".join(mixed) + b"\n")
    return programs.start("ingest", "--json", str(path))


def _work(crowd: Crowd, load: Load, bodies: int) -> list[str]:
    """Let the crowd work until each body has been sent, and all is shown."""
    until(lambda: load.answered >= 4 * bodies or load.ledger.findings, _ENDS_WITHIN, "the answers")
    codes = [program.wait(_ENDS_WITHIN) for program in crowd.ingests]
    load.finish()
    said = [program.said().decode()[-500:] for program in crowd.ingests]
    return [f"ingest ends with {code}: {s}" for code, s in zip(codes, said, strict=True) if code]


def _judge(programs: Programs, crowd: Crowd, load: Load, report: Report) -> list[str]:
    truth, newest = _truth(programs.store)
    found = list(load.ledger.findings)
    found += _heard(crowd.listeners, newest)
    report.figures["calls of listeners"] = sum(listener.calls for listener in crowd.listeners)
    seen = [tail.end() for tail in crowd.tails]
    found += [finding for one in seen for finding in one.holes[:3]]
    found += [f"a reader saw {s[:2]}, not {truth[:2]}" for s in seen if s[:2] != truth[:2]]
    for program in [*crowd.servers, *crowd.ingests]:
        code = program.stop()
        found += [f"{program.name} ends with {code}: {program.said()!r}"] if code else []
        found += program.tracebacks()
    found += _counted(crowd, load, truth.count, report)
    return found + conclude(programs, load.ledger)


def _truth(store: str) -> tuple[Seen, Conversations]:
    """Read what is stored, and the newest position of each conversation."""
    stop = Signal()
    stop.set()
    newest: Conversations = {}
    with closing(open_recorder(store, create=False)) as recorder:
        seen = follow(recorder, stop, 0)
        for stored in recorder.select_notifications(1, seen.count or 1):
            kind, *rest = str(stored.originator_id).split("/")
            if kind == "conversation":
                newest[rest[0], int(rest[1])] = stored.id
    return seen, newest


def _heard(listeners: list[Listener], newest: Conversations) -> list[str]:
    """Wait until the listeners have heard the last; they must have heard of all."""
    last = max(newest.values())
    begun = monotonic()
    found = []
    for listener in listeners:
        left = max(_CAUGHT_UP_WITHIN - (monotonic() - begun), 1)
        until(lambda one=listener: one.last >= last or one.findings, left, "the end of the stream")
        listener.end()
        found += listener.findings
        if listener.newest != newest:
            wrong = [key for key in newest if listener.newest.get(key) != newest[key]]
            found.append(f"the live stream does not end at the newest of {wrong[:3]}")
    return found


def _counted(crowd: Crowd, load: Load, stored: int, report: Report) -> list[str]:
    """Add up what all were answered as appended: each event once."""
    counts = [from_json(program.printed.read_bytes()) for program in crowd.ingests]
    by_ingest = sum(count["appended"] for count in counts)
    by_load = load.ledger.answers["appended"]
    report.figures |= {
        "events": stored,
        "appended by ingest": [count["appended"] for count in counts],
        **{f"answers: {kind}": n for kind, n in sorted(load.ledger.answers.items())},
        "answers: 503": load.refused,
        "connections cut": load.broken,
        "longest answer, s": round(load.longest, 2),
    }
    if not load.broken and by_ingest + by_load != stored:
        return [f"{by_ingest} + {by_load} events were answered as appended, {stored} are stored"]
    return []


@click.command("concurrency")
@click.option("--store", "kind", type=click.Choice(["sqlite", "postgres"]), multiple=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, metavar="N")
@click.option("--bodies", type=click.IntRange(1), default=3_000, show_default=True, metavar="N")
@with_seed
@with_report
def command(kind: tuple[str, ...], rounds: int, bodies: int, seed: int, path: Path | None) -> None:
    """Let many processes write the same bodies at once, while others follow the store."""
    whole = Report("concurrency", {"rounds": rounds, "bodies": bodies, "seed": seed})
    kinds = [one for one in kind or ("postgres", "sqlite") for _ in range(rounds)]
    with progress("concurrency", len(kinds)) as done:
        for number, one in enumerate(kinds):
            with stores(one) as (store, folder):
                report = torture(store, folder, bodies, seed + number)
            whole.rows.append({"store": one, "seed": seed + number, **report.figures})
            whole.findings += report.findings
            done(f"{one}, {len(whole.findings)} findings")
    sys.exit(whole.conclude(path))
