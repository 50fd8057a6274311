"""The HTTP server: uvicorn, with the limits that it leaves to others.

A header must come in time and has a size and a count, a response must be read in time, a connection
is answered one request at a time, and what is not HTTP gets an error of the usual shape.
"""

import asyncio
import gc
import logging
import os
import re
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Any, Protocol, cast
from uuid import uuid4

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dixa_state.errors import InvalidInputError
from dixa_state.web.app import Application
from dixa_state.web.errors import render_error
from dixa_state.web.handover import Handover
from dixa_state.web.middleware import SECURITY_HEADERS

HEADER_TIMEOUT = 10.0
"""Seconds in which the headers of a request must have come in."""

READ_TIMEOUT = 20.0
"""Seconds in which a client must have read what was sent to it."""

MAX_HEADER_BYTES = 64 << 10
"""Bytes of the headers of a request, or of what frames its body, or of requests that wait."""

MAX_HEADERS = 100

DRAIN_TIMEOUT = 1.0
"""Seconds in which an idle connection may still send a request, once the process is to stop."""

SHUTDOWN_TIMEOUT = 30
"""Seconds that requests under way have to end, once the process is asked to."""

BACKLOG = 2_048
"""Connections that the system queues until they are accepted."""

_FIRST_INHERITED = 3
_CHUNK_PIECE = 1_024
_CHUNK_FRAME = 16
_CHECK_INTERVAL = 0.5
_GC_THRESHOLD = 10_000
_SWITCH_INTERVAL = 0.0005
_CONTENT_LENGTH = len(b"content-length")  # its length is compared first: that costs less
_OTHER_LINES = 2  # the first one, and the blank one
_TOO_LONG = f"expected headers of at most {MAX_HEADER_BYTES} bytes, got more"
_UPGRADE = re.compile(rb"\nupgrade:", re.IGNORECASE)


class LimitExceededError(Exception):
    """Raised within the parser, which then fails as it does for what is not HTTP."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection, whose parser sees a request when the one before it has been answered.

    Of uvicorn's protocol only the callbacks of asyncio and of the parser are used. The parser alone
    decides where a request ends; this class counts, and chooses how much the parser sees at a time.
    """

    _header_lines: int
    _waiting_since: float | None

    def __init__(
        self, *args: Any, handover: Handover | None = None, received: bytes = b"", **named: Any
    ) -> None:
        """Pass on by `handover` what belongs to another process; `received` has come already."""
        super().__init__(*args, **named)
        self._handover = handover
        self._received = bytearray(received)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first headers."""
        super().connection_made(transport)
        self._connection = transport
        self._error = "expected a request in HTTP/1.1, got something else"
        self._refused = self._answering = self._paused = self._begun = False
        self._unread_since: float | None = None
        self._draining_since: float | None = None
        self._expect_headers()
        if self._received:
            self._parse()

    def data_received(self, data: bytes) -> None:
        """Pass on what the parser may see now; the rest waits."""
        self._received += data
        self._parse()

    def on_message_begin(self) -> None:
        """Begin to parse a request: it may begin behind a body in chunks, in the same piece."""
        super().on_message_begin()
        self._begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Pass on a header; the trailers of a body in chunks have no use here."""
        if self._in_body:
            return
        if len(name) == _CONTENT_LENGTH and name.lower() == b"content-length":
            self._body_left = int(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request."""
        if self._answering:  # behind a body in chunks, whose end only the parser knows
            self._error = "expected the next request after the response, got it before"
            raise LimitExceededError(self._error)
        super().on_headers_complete()
        self._in_body = self._answering = True
        self._waiting_since = None
        self._framing_bytes = 0
        if self._draining_since is not None:
            super().shutdown()  # its response says that it is the last one

    def on_body(self, body: bytes) -> None:
        """Count down to the end of the body; neither it nor the frame of a chunk is a header."""
        self._body_left = max(0, self._body_left - len(body))
        self._framing_bytes = max(0, self._framing_bytes - len(body) - _CHUNK_FRAME)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; what comes next are headers."""
        super().on_message_complete()
        self._begun = False
        self._expect_headers()

    def on_response_complete(self) -> None:
        """End a response, and begin the next request if it has come already."""
        super().on_response_complete()
        self._answering = False
        self._waiting_since = monotonic()
        self._parse()
        if self._paused and not self._connection.is_closing():
            self._paused = False
            self._connection.resume_reading()

    def shutdown(self) -> None:
        """Close after the response under way; an idle connection may send one more request.

        A client may have sent it before it can know of the end.
        """
        self._draining_since = monotonic()
        if self._answering:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, after the response under way, and close."""
        del msg
        self._refused = True
        if self._answering and not self._in_body:
            super().shutdown()  # uvicorn's word for: close after the response
            return
        error = render_error(400, "invalid", self._error)
        own = ((b"connection", b"close"), (b"x-request-id", uuid4().hex.encode()))
        headers = (*own, *error.raw_headers, *SECURITY_HEADERS)
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        body = bytes(error.body)
        self._connection.write(b"HTTP/1.1 400 Bad Request\r\n%b\r\n%b" % (lines, body))
        self._connection.close()

    def check_timeouts(self, now: float) -> None:
        """Abort the connection of a client that sends headers, or reads responses, too slowly."""
        if not self._connection.get_write_buffer_size():
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        unsent = self._waiting_since is not None and now - self._waiting_since > HEADER_TIMEOUT
        unread = self._unread_since is not None and now - self._unread_since > READ_TIMEOUT
        if unsent or unread:
            self._connection.abort()
        drained = self._draining_since is not None and now - self._draining_since > DRAIN_TIMEOUT
        if drained and not self._answering:
            self._connection.close()

    def _expect_headers(self) -> None:
        self._in_body = self._in_headers = False
        self._header_lines = self._framing_bytes = self._body_left = 0
        self._waiting_since = None if self._answering else monotonic()

    def _parse(self) -> None:
        while self._received and not (self._refused or self._connection.is_closing()):
            size = self._size_of_next()
            if not size:
                break
            if self._handed_over():
                return
            piece = bytes(self._received[:size])
            del self._received[:size]
            self._pass_on(piece)
        if self._refused:
            self._received.clear()
        elif len(self._received) > MAX_HEADER_BYTES:
            self._hold_back()

    def _handed_over(self) -> bool:
        """Pass the connection on, between two requests, if the next belongs elsewhere."""
        if self._handover is None or self._begun or self._framing_bytes:
            return False
        return self._handover.pass_on(self._connection, self._received)

    def _size_of_next(self) -> int:
        """Return how much of what has come the parser may see."""
        if self._in_body:
            return self._body_left or _CHUNK_PIECE
        return 0 if self._answering else self._size_of_headers()

    def _size_of_headers(self) -> int:
        """Return how far the whole lines of the headers go, of which there may be no end yet.

        A first line without an end is passed on as well: it may show at once that this is not HTTP.
        """
        received = self._received
        if self._in_headers and received.startswith(b"\r\n"):
            return 2
        end = received.find(b"\r\n\r\n")
        if end >= 0:
            return end + 4
        lines = received.rfind(b"\n") + 1
        return lines if lines or self._in_headers else len(received.rstrip(b"\r"))

    def _pass_on(self, piece: bytes) -> None:
        self._framing_bytes += len(piece)
        if not self._in_body:
            self._in_headers = piece.endswith(b"\n")
            self._header_lines += piece.count(b"\n")
            if self._framing_bytes > MAX_HEADER_BYTES:
                self._refuse(_TOO_LONG)
                return
            if self._header_lines > MAX_HEADERS + _OTHER_LINES:
                self._refuse(f"expected at most {MAX_HEADERS} headers, got more")
                return
            # A server may ignore it. Some clients ask for HTTP/2 with each request where there is
            # no TLS, and the parser would then take the body for the other protocol.
            if b"\nupgrade:" in piece.lower():
                piece = _UPGRADE.sub(b"\nx-upgrade:", piece)
        super().data_received(piece)
        if self._framing_bytes > MAX_HEADER_BYTES and not self._refused:
            self._refuse(_TOO_LONG)

    def _hold_back(self) -> None:
        if self._answering:
            self._paused = True
            self._connection.pause_reading()
        else:
            self._refuse(_TOO_LONG)

    def _refuse(self, error: str) -> None:
        self._error = error
        self.send_400_response(error)


class Partner(Protocol):
    """Another process that answers some of the requests."""

    handover: Handover

    def start(self, server: "Server") -> None:
        """Begin, on the event loop of the server."""

    def finish(self) -> None:
        """Pass nothing on from now on."""


class Server(uvicorn.Server):
    """A server that ends live updates when it is asked to stop: they never end by themselves."""

    def __init__(
        self,
        app: Application,
        ready: Callable[[], None],
        *,
        trusted_proxies: str | None = None,
        partner: Partner | None = None,
    ) -> None:
        """Serve this application; `ready` is called once requests are answered.

        `trusted_proxies` are addresses, comma-separated, that may say who the client is; `partner`
        is another process that answers some requests.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", self._protocol),  # it is called
                ws="none",
                loop="uvloop",
                lifespan="on",
                log_config=None,
                log_level=logging.ERROR,
                access_log=False,
                proxy_headers=trusted_proxies is not None,
                forwarded_allow_ips=trusted_proxies,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
            )
        )
        self._service = app.service
        self._ready = ready
        self._partner = partner
        self._taken: set[asyncio.Task[None]] = set()

    def _protocol(self, **named: Any) -> BoundedProtocol:
        handover = self._partner.handover if self._partner else None
        return BoundedProtocol(handover=handover, **named)

    def serve_connection(self, connection: socket.socket, received: bytes) -> None:
        """Answer on a connection of which this has been read."""
        protocol = self._protocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            received=received,
        )
        task = asyncio.create_task(_connect(protocol, connection))
        self._taken.add(task)
        task.add_done_callback(self._taken.discard)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._checking = asyncio.create_task(self._check_timeouts())
        if self._service.failure is not None:
            self.should_exit = True
        elif self.started:
            if self._partner:
                self._partner.start(self)
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is under way, within limits still, and end."""
        await super().shutdown(sockets)
        self._checking.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on a signal, having finished what is under way; a second Ctrl-C does not wait."""
        del frame
        self._service.live_updates.end_subscriptions()
        if self._partner:
            self._partner.finish()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def _check_timeouts(self) -> None:
        # One look at all connections costs less than a timer for each request.
        while True:
            await asyncio.sleep(_CHECK_INTERVAL)
            now = monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.check_timeouts(now)


async def _connect(protocol: asyncio.Protocol, connection: socket.socket) -> None:
    try:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: protocol, connection)
    except OSError:  # its client has gone
        connection.close()


@contextmanager
def settled() -> Iterator[None]:
    """Keep threads from computing long, and the garbage collector from scanning too often.

    For a process that only serves. A webhook passes from thread to thread, and each time waits for
    the one that folds: Python's own 5 ms are more than all its work. Requests that wait for a
    commit would make the collector scan them, and all else, again and again, with nothing to find.
    """
    usual, interval = gc.get_threshold(), sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
        sys.setswitchinterval(interval)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address and a port.

    Raises `InvalidInputError` for a host that is none, `OSError` if the port is not free.
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
        why = os.strerror(error.errno or 0)  # its own text repeats the address
        raise OSError(
            f"port {port} of {host}: expected one that is free, got: {why}; "
            "name another with --port"
        ) from error


def inherited_socket() -> socket.socket | None:
    """Return the socket that systemd listens on for this process, if it does (socket activation).

    It outlives the process, so that connections wait for the next one. Raises `InvalidInputError`
    for anything but one TCP socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = os.environ.get("LISTEN_FDS")
    inherited = socket.socket(fileno=_FIRST_INHERITED)
    if count != "1" or inherited.family not in (socket.AF_INET, socket.AF_INET6):
        raise InvalidInputError(f"LISTEN_FDS: expected one TCP socket, got {count} of {inherited}")
    return inherited


def address_of(listening: socket.socket) -> str:
    """Return the address that a browser takes."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def raise_file_limit() -> None:
    """Raise the limit of file descriptors to what the system allows: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
