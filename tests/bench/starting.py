"""`start`: what a service and a command take until they are there, and then of memory."""

import subprocess
import sys
from collections.abc import Iterator

from http_requests import Server, serving
from measuring import Beside, Result, in_turns, medians, megabytes, timed
from stores import MakeStore

from dixa_state import open_tracker

_ROUNDS = 3


def start(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure a service with its processes beside one process of FastAPI, and a command."""
    servers: dict[str, list[Server]] = {"ours": [], "FastAPI": []}
    memory: dict[str, list[float]] = {kind: [] for kind in servers}
    for _ in range(_ROUNDS):
        for kind, found in servers.items():
            with serving(kind, make()) as server:
                found.append(server)
                memory[kind].append(megabytes(server.pid))
    for name, unit, figure in (
        ("start, until it listens", "s", "listening"),
        ("start, processor until it is idle", "s", "processor"),
    ):
        ours, fastapi = (medians(found, figure) for found in servers.values())
        yield Result(name, store, unit, ours, (Beside("FastAPI", fastapi),))
    ours, fastapi = (sorted(found)[_ROUNDS // 2] for found in memory.values())
    yield Result(
        "memory of all its processes, idle", store, "MB", ours, (Beside("FastAPI", fastapi),)
    )
    yield _command(store, make())


def _command(store: str, url: str) -> Result:
    with open_tracker(url) as tracker, tracker.event_recorder.writing():
        pass
    words = {
        "list": ["-m", "dixa_state", "list", "--store", url],
        "python": ["-c", "import pydantic, click, rich.table, psycopg, msgspec"],
    }
    taken = in_turns({name: lambda some=some: _run(some) for name, some in words.items()})
    beside = Beside("importing its libraries", taken["python"])
    return Result("start, `list` of an empty store", store, "s", taken["list"], (beside,))


def _run(words: list[str]) -> float:
    with timed() as seconds:
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return seconds()
