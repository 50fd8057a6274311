"""The HTTP server: uvicorn, with the bounds that it leaves to others.

A head must come in time and may not be endless, an answer must be read in time, and what is no HTTP
is refused in our shape.
"""

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from uuid import uuid4

import uvicorn
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from dixa_state.errors import InvalidInputError
from dixa_state.web.app import Application
from dixa_state.web.edge import SECURITY, WHOLE, lines_of
from dixa_state.web.errors import refusal

HEAD_SECONDS = 10.0
"""Seconds in which the head of a request must have come in."""

READ_SECONDS = 20.0
"""Seconds in which a client must have read what waits for it."""

MAX_HEAD = 64 << 10
"""Bytes that a head, or what frames a body, may have taken without coming to its end."""

SHUTDOWN_SECONDS = 30
"""Seconds that requests under way have to end, once the process is told to."""

BACKLOG = 2_048
"""Connections that the system keeps until they are taken."""

_FRAME = 16
_YOUNG = 10_000
_log = logging.getLogger("dixa_state.web")


class Protocol(HttpToolsProtocol):
    """HTTP on one connection."""

    _in_head = True
    _head_bytes = 0
    _broken = False
    _head_deadline: asyncio.TimerHandle | None = None
    _read_deadline: asyncio.TimerHandle | None = None
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        # Whatever the system does not take at once has a deadline: a client that leaves a little
        # unread would else keep a connection for ever that is closed already.
        transport.set_write_buffer_limits(high=0)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines; an answer to a request that others wait behind ends, too."""
        self._have_head()
        self._have_read()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what comes between two requests is the beginning of a head, or should be."""
        self._unset_keepalive_if_required()
        self._head_bytes += len(data)
        while data and not self._broken:
            data = self._feed(data)
        if self._broken:
            return
        if self._head_bytes > MAX_HEAD:
            self.send_400_response(f"expected a head of at most {MAX_HEAD} bytes, got more")
        elif self.cycle is None or self.cycle.response_complete:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Have a whole head; the rest is for the application to wait for."""
        if self._is_upgrade():
            return
        self._in_head, self._head_bytes = False, 0
        self._have_head()
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind a body in chunks have no use and no bound."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body: neither it nor what frames it counts as a head."""
        self._head_bytes = max(0, self._head_bytes - len(body) - _FRAME)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Have a whole request; what comes next is a head."""
        if self._is_upgrade():
            return
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Give the client time to read what waits; then it is dropped, with all that waits."""
        super().pause_writing()
        self._read_deadline = self.loop.call_later(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        self._have_read()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the shape of all refusals, and hang up."""
        self._broken = True
        if self.cycle is not None and not (self.cycle.more_body or self.cycle.response_complete):
            self.cycle.keep_alive = False  # it is a whole request, and its answer goes first
            return
        more = {"Connection": "close", "X-Request-Id": uuid4().hex}
        answer = refusal(400, "invalid", msg, headers=more)
        headers = [*answer.raw_headers, *SECURITY]
        lines = lines_of(headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n%s\r\n%s" % (lines, bytes(answer.body)))
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        cycle.scope["extensions"] = {WHOLE: {"send": partial(_send_whole, cycle)}}
        super()._start_asgi_task(cycle, app)

    def _is_upgrade(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _feed(self, data: bytes) -> bytes:
        """Parse, and give what is to be parsed next."""
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            return self._not_upgraded(data[upgrade.args[0] :])
        except HttpParserError:
            self.send_400_response("expected a request in HTTP/1.1, got something else")
        return b""

    def _not_upgraded(self, rest: bytes) -> bytes:
        """Go on in HTTP/1.1, as a server may that is asked to upgrade.

        Some clients ask with each request (HTTP/2 where there is no TLS), and the parser would take
        all that follows, the body too, for the other protocol: hence a new one, which is not asked.
        """
        first = b"%s %s HTTP/1.1" % (self.parser.get_method(), self.url)
        lines = [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        return b"\r\n".join([first, *lines, b"", rest])

    def _expect_head(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _have_head(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _have_read(self) -> None:
        if self._read_deadline is not None:
            self._read_deadline.cancel()
            self._read_deadline = None


async def _send_whole(cycle: RequestResponseCycle, lines: bytes, body: bytes) -> None:
    """Send an answer of status 200 in one piece: head and body are else written one by one."""
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    cycle.response_started = cycle.response_complete = True
    last = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    first = lines_of(cycle.default_headers)
    cycle.transport.write(b"".join((STATUS_LINE[200], first, lines, last, body)))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


class Server(uvicorn.Server):
    """A server that ends live streams when it is told to stop: they never end by themselves."""

    def __init__(self, app: Application, ready: Callable[[], None]) -> None:
        """Serve this application; `ready` is called once requests are answered."""
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                loop="uvloop",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )
        self._service = app.service
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self._service.failure is not None:
            self.should_exit = True
        elif self.started:
            self._ready()

    async def main_loop(self) -> None:
        """Answer until told to stop."""
        with _settled():
            await super().main_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on a signal, having finished what is under way; a second Ctrl-C does not wait."""
        del frame
        self._service.feed.end_streams()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


@contextmanager
def _settled() -> Iterator[None]:
    """Keep the collector of cycles from looking at what stays, and from looking too often.

    Requests that wait for a commit would else have it look through them, and all else, again and
    again, and there is nothing for it to find.
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def listen(host: str, port: int) -> socket.socket:
    """Take an address and a port.

    Raises `InvalidInputError` for a host that is none, `OSError` if the port cannot be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise InvalidInputError(
            f"host: expected an address of this machine, got {host!r}: {error}"
        ) from error
    family, _, _, _, address = found[0]
    try:
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise OSError(
            f"port {port} of {host}: expected one that is free, got {error.strerror}; "
            "name another with --port"
        ) from error


def address_of(listening: socket.socket) -> str:
    """Give the address that a browser takes."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def raise_file_limit() -> None:
    """Take as many file descriptors as the system lets us have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
