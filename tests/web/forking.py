"""Fork processes as the service does, and print what becomes of them; run as a program of its own.

In the process of the tests there are other threads, beside which nothing is forked.
"""

import os
import signal
import sys
from logging import getLogger
from multiprocessing import Pipe, active_children
from multiprocessing.connection import Connection
from threading import Event, Thread

import click

from dixa_state.web.logs import configure
from dixa_state.web.processes import ServiceProcess, forked

loaded: list[str] = []


def work(pipe: Connection) -> None:
    """Report what was loaded, and wait for the end."""
    pipe.send(loaded)
    try:
        pipe.recv()
    except EOFError:
        return


def new() -> ServiceProcess[Connection]:
    """Return a process that is not started."""
    return ServiceProcess("one", work, Pipe)


def begin_and_begin_again() -> None:
    """Print what a process knows that was forked, and what its successor does."""
    with forked(one := new()):
        loaded.append("after the fork")
        for _ in range(2):
            process, pipe = one.start()
            click.echo(pipe.recv())
            pipe.close()
            process.join(20)
            click.echo(process.exitcode)


def end_one_of_two() -> None:
    """Print how the first of two ends when its connection does, whatever the other does."""
    first, second = new(), new()
    with forked(first, second):
        process, pipe = first.start()
        other, still = second.start()
        pipe.recv(), still.recv()
        pipe.close()
        process.join(20)
        click.echo(f"{process.exitcode} {other.is_alive()}")
        still.close()
        other.join(20)
        click.echo(other.exitcode)


def start_none() -> None:
    """Leave two unstarted: this ends."""
    with forked(new(), new()):
        pass
    click.echo("ended")


def beside_a_thread() -> None:
    """Print that nothing is forked beside another thread."""
    ended = Event()
    Thread(target=ended.wait).start()
    with forked(one := new()):
        click.echo(one.ends)
    ended.set()


def die() -> None:
    """Print the numbers of two that are forked, of which one is started, and die."""
    first, second = new(), new()
    with forked(first, second):
        _, pipe = first.start()
        pipe.recv()
        click.echo(" ".join(str(child.pid) for child in active_children()))
        os.kill(os.getpid(), signal.SIGKILL)


def complain(pipe: Connection) -> None:
    """Log a line, and end."""
    configure("text", "info")
    getLogger("dixa_state.web").warning("said last")
    pipe.close()


def log_and_end() -> None:
    """Have a process log as its last act."""
    one = ServiceProcess("one", complain, Pipe)
    with forked(one):
        process, _ = one.start()
        process.join(20)
        click.echo(process.exitcode)


def refuse() -> tuple[Connection, Connection]:
    """Refuse a connection as a system does that has none."""
    raise OSError("none of these here")


def without_a_connection() -> None:
    """Print what the start says where the system has no connection for it."""
    one = ServiceProcess("one", work, refuse)
    with forked(one):
        try:
            one.start()
        except OSError as error:
            click.echo(error)


if __name__ == "__main__":
    loaded.append("before the fork")
    globals()[sys.argv[1]]()
