"""Readers that follow a store: each must see every position once, in order, without a hole.

`python tail.py STORE` follows until its input ends, and prints what it saw as JSON.
"""

import json
import sys
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from random import Random
from subprocess import PIPE, Popen
from threading import Event as Signal
from threading import Thread
from time import sleep
from typing import NamedTuple

from dixa_state.bootstrap import open_recorder
from dixa_state.store.recorder import EventRecorder

_PAGES = (1, 7, 100, 1_000)
_PAUSE = 0.003
_ENDS_WITHIN = 120.0


class Seen(NamedTuple):
    """How many events a reader has seen, a digest of all of them, and what was not in order."""

    count: int
    digest: str
    holes: list[str]


def follow(recorder: EventRecorder, stop: Signal, seed: int) -> Seen:
    """Read until told to stop, and then to the end."""
    dice, state, holes, last = Random(seed), blake2b(digest_size=16), [], 0
    while True:
        ending = stop.is_set()
        page = recorder.select_notifications(last, dice.choice(_PAGES), inclusive_of_start=False)
        for event in page:
            if event.id != last + 1:
                holes.append(f"a reader at {last} was given {event.id} next")
            state.update(b"%d " % event.id + event.state)
            last = event.id
        if not page and ending:
            return Seen(last, state.hexdigest(), holes)
        if not page:
            sleep(_PAUSE)


class TailingThread:
    """A reader in a thread of this process."""

    def __init__(self, store: str, seed: int) -> None:
        self._stop = Signal()
        self._seen: list[Seen] = []
        self._thread = Thread(target=self._run, args=(store, seed), daemon=True)
        self._thread.start()

    def _run(self, store: str, seed: int) -> None:
        with closing(open_recorder(store, create=False)) as recorder:
            self._seen.append(follow(recorder, self._stop, seed))

    def end(self) -> Seen:
        self._stop.set()
        self._thread.join(_ENDS_WITHIN)
        return self._seen[0]


class TailingProcess:
    """A reader in a process of its own."""

    def __init__(self, store: str, seed: int) -> None:
        command = [sys.executable, str(Path(__file__)), store, str(seed)]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE)

    def end(self) -> Seen:
        printed, _ = self._process.communicate(timeout=_ENDS_WITHIN)
        return Seen(*json.loads(printed))


def _main(store: str, seed: str) -> None:
    stop = Signal()
    Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    with closing(open_recorder(store, create=False)) as recorder:
        json.dump(follow(recorder, stop, int(seed)), sys.stdout)


if __name__ == "__main__":
    _main(*sys.argv[1:])
