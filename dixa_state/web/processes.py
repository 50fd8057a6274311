"""Processes of the service: they end with it, and signals of a terminal do not reach them.

The first ones are forked at the start, before this process has a thread, a connection or a lock
that they would share: what it has loaded, they have too. One that is started again after its end is
a new interpreter, which takes seconds of a processor to load the same.
"""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

give_way: Callable[[], None] = getattr(os, "sched_yield", lambda: None)
"""Let another process go first that waits for a core.

`nice` shares the time of a core, but what wakes up may wait for some milliseconds until another
process has used up its turn, however nice that is. Long work calls this in between.
"""


class End(Protocol):
    """An end of a pipe or a channel."""

    def close(self) -> None:
        """Close it."""


E = TypeVar("E", bound=End)


class Running(NamedTuple, Generic[E]):
    """A process that was started, and this process's end of the connection to it."""

    process: BaseProcess
    end: E


class ServiceProcess(Generic[E]):
    """A process that works for the service at its end of a connection, until that is closed."""

    def __init__(
        self, name: str, work: Callable[[E], None], connect: Callable[[], tuple[E, E]]
    ) -> None:
        """Run `work` at one end of what `connect` returns."""
        self._name, self._work, self._connect = name, work, connect
        self._forked: tuple[Running[E], Connection] | None = None

    def fork(self, held: Sequence[End]) -> None:
        """Fork it now, if that is safe, to begin when it is started; there it closes what is held.

        A connection has ended once every process has closed that end.
        """
        if sys.platform != "linux" or len([*Path("/proc/self/task").iterdir()]) > 1:
            return
        # Where the system has none of these, perhaps it has once the process is started.
        with suppress(OSError), ExitStack() as at_end, ExitStack() as else_too:
            ours, theirs = self._connect()
            else_too.callback(ours.close)
            at_end.callback(theirs.close)
            go, begin = Pipe(duplex=False)
            else_too.callback(begin.close)
            at_end.callback(go.close)
            arguments = go, (ours, begin, *held), self._work, theirs
            process = get_context("fork").Process(
                target=_wait, args=arguments, name=self._name, daemon=True
            )
            gc.freeze()  # what is loaded by now is no garbage, and memory that both share
            with _signals_blocked():
                process.start()
            else_too.pop_all()
            self._forked = Running(process, ours), begin

    def start(self) -> Running[E]:
        """Start it, and return it; raises `OSError` if the system has no process for it."""
        if self._forked is not None:
            (running, begin), self._forked = self._forked, None
            with suppress(OSError):  # it has died: who reads from it will find out
                begin.send(None)
            begin.close()
            return running
        ours, theirs = self._connect()
        process = get_context("spawn").Process(
            target=self._work, args=(theirs,), name=self._name, daemon=True
        )
        try:
            resource_tracker.ensure_running()  # else multiprocessing starts it, and unblocks them
            with _signals_blocked():
                process.start()
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return Running(process, ours)

    def join(self) -> None:
        """Wait until it has ended, if it has been forked and not started."""
        if self._forked is not None:
            self._forked[0].process.join()
            self._forked = None

    @property
    def ends(self) -> list[End]:
        """The ends that this process has of one that was forked and not started."""
        return [] if self._forked is None else [self._forked[0].end, self._forked[1]]


@contextmanager
def forked(*processes: ServiceProcess[Any], held: Sequence[End] = ()) -> Iterator[None]:
    """Fork processes now if that is safe; end those that were not started.

    What this process holds already, and they are not to hold, they close.
    """
    try:
        for one in processes:
            one.fork([*held, *(end for other in processes for end in other.ends)])
        yield
    finally:
        for one in processes:  # all before the first wait, which may be interrupted
            for end in one.ends:
                end.close()
        for one in processes:
            one.join()


def _wait(go: Connection, held: Sequence[End], work: Callable[[E], None], end: E) -> None:
    """Work, in a forked process, once it is started; end with the service if that ends before."""
    for one in held:
        one.close()
    try:
        go.recv()
    except EOFError:
        return
    try:
        work(end)
    finally:
        logging.shutdown()  # nothing else that is to be done at the end of Python is done here


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals for the process that is started: those of a terminal go to all processes."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
