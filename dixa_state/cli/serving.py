"""Commands that serve: webhooks in, answers out.

What they need is loaded when they run: a web framework would slow the start of all other commands.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from select import select
from threading import Event, Thread

import click

from dixa_state.cli.options import read_settings, with_store
from dixa_state.cli.output import say
from dixa_state.settings import Settings

Run = Callable[[Callable[[], None]], None]

DEMO = (
    "address  {address}; {address}/docs describes the API",
    "token    none is needed on this machine",
    "store    {store}",
    "A support desk is at work there. Try, in another shell:",
    "  curl -s {address}/v1/conversations/{csid}",
    "  curl -s {address}/v1/conversations/{csid}/transitions",
    "  curl -s {address}/v1/stats",
    "  curl -sN {address}/v1/stream",
    "or any command, such as: list --status open --store {store}",
    "Ctrl-C ends it and leaves nothing behind.",
)


@click.command()
@click.option("--host", metavar="ADDRESS", help="Where to listen.  [env: DIXA_STATE_HOST]")
@click.option("--port", type=click.IntRange(0, 65_535), help="[env: DIXA_STATE_PORT]")
@click.option(
    "--replay",
    "replayed",
    is_flag=True,
    help="Rebuild the views meanwhile, if they are of another version.",
)
@with_store
def serve(*, replayed: bool, **given: str | int | None) -> None:
    """Receive webhooks, keep the views up to date, answer queries.

    Dixa's webhooks go to /webhooks/dixa, and /docs describes the API. Secrets and tokens come
    from the settings only. SIGTERM ends it, once what it has accepted is on disk.
    """
    flags = {name: value for name, value in given.items() if value is not None}
    settings = read_settings().model_copy(update=flags)
    with open_service(settings) as (address, run, outdated), ExitStack() as beside:
        if outdated:
            say(outdated)
        if outdated and replayed:
            beside.enter_context(_replaying(flags))
        if settings.allow_unsigned:
            say(
                "WARNING: unsigned webhooks are accepted; "
                "anyone who can reach this port can write events"
            )
        if not (settings.api_tokens or settings.write_tokens):
            say("no API tokens are set: everyone on this machine may read, and nobody else")
        run(lambda: say(f"serving on {address}; webhooks go to {address}/webhooks/dixa"))
    _say_last("stopped; all that was accepted is on disk")


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="0 takes any."
)
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1_000),
    default=20.0,
    show_default=True,
    help="How many times as fast as a real one the desk lives.",
)
def demo(port: int, speed: float) -> None:
    """Serve a simulated support desk, from a temporary store.

    A support desk on a Monday morning, whatever the time is, 20 times as fast as a real one: what
    takes twenty minutes there takes one here. What has happened before is in the store when the
    demo begins; then webhooks come over HTTP and signed, as Dixa sends them, a few of them late,
    twice or never.
    """
    from dixa_state.cli.demo import (  # noqa: PLC0415
        send_when_due,
        store_history,
        temporary_settings,
        webhooks,
    )
    from dixa_state.simulate import FIRST_CSID  # noqa: PLC0415

    with temporary_settings(port) as (settings, secret):
        now = datetime.now(UTC)
        coming = webhooks(secret, now, speed)
        following = store_history(settings.store, coming, now)
        rest = chain([following] if following else [], coming)
        with open_service(settings) as (address, run, _):
            stop = Event()
            traffic = Thread(target=send_when_due, args=(address, rest, stop), daemon=True)

            def begin() -> None:
                traffic.start()
                click.echo(address)
                for line in DEMO:
                    say(line.format(address=address, csid=FIRST_CSID, store=settings.store))

            try:
                run(begin)
            finally:
                stop.set()
                if traffic.is_alive():
                    traffic.join()


@contextmanager
def _replaying(flags: Mapping[str, object]) -> Iterator[None]:
    """Run `dixa-state replay` meanwhile, in a process of its own that takes no time of this one."""
    store = ["--store", str(flags["store"])] if "store" in flags else []
    program = [sys.executable, "-m", "dixa_state", "replay", *store]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL)  # noqa: S603 — ourselves
    try:
        yield
    finally:
        process.terminate()  # the live views are as they were, and the next replay begins anew
        process.wait()


@contextmanager
def open_service(settings: Settings) -> Iterator[tuple[str, Run, str | None]]:
    """Listen, and yield the address, what serves there until the process ends, and `outdated`."""
    from dixa_state.asgi import open_application, processes  # noqa: PLC0415
    from dixa_state.questions.changes import health  # noqa: PLC0415
    from dixa_state.web.logs import configure  # noqa: PLC0415
    from dixa_state.web.processes import forked  # noqa: PLC0415
    from dixa_state.web.projection import project_apart  # noqa: PLC0415
    from dixa_state.web.reader_process import ReaderProcess  # noqa: PLC0415
    from dixa_state.web.server import (  # noqa: PLC0415
        Server,
        address_of,
        inherited_socket,
        listen,
        raise_file_limit,
        settled,
    )

    raise_file_limit()
    inherited = inherited_socket()
    if inherited:
        settings = settings.model_copy(update={"host": inherited.getsockname()[0]})
    projector, readers = processes(settings)
    with ExitStack() as stack:
        stack.enter_context(forked(projector, readers, held=[inherited] if inherited else []))
        configure(settings.log_format, settings.log_level)
        app = stack.enter_context(open_application(settings, partial(project_apart, projector)))
        listening = stack.enter_context(inherited or listen(settings.host, settings.port))

        def run(ready: Callable[[], None]) -> None:
            partner = ReaderProcess(app, readers)
            proxies = settings.trusted_proxies
            server = Server(app, ready, trusted_proxies=proxies, partner=partner)
            with settled():
                server.run(sockets=[listening])
            try:
                partner.close(at_once=server.force_exit)
            except KeyboardInterrupt:
                partner.close(at_once=True)
            if app.service.failure is not None:
                raise app.service.failure
            if app.service.stuck:
                _say_last("dixa-state: ended without the store, which does not answer")
                os._exit(1)  # threads that wait for it would keep the process for ever

        yield address_of(listening), run, health(app.service.reader).outdated


def _say_last(message: str) -> None:
    if select([], [2], [], 0)[1]:  # else nobody reads it, and the process would never end
        say(message)
