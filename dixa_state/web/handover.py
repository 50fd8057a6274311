"""Connections that pass between two processes which run the same application.

Each answers the requests that belong to it. A connection goes to the other process with what has
been read of its next request; where it cannot go there, it is answered where it is.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

MAX_PASSED = 64 << 10
"""Bytes of a request that are passed on; one of which more has been read stays where it is."""

_log = logging.getLogger("dixa_state.web")
_CONNECTION, _REPORT = b"c", b"r"

Belongs = Callable[[bytes], bool]
"""Says of the target of a request whether this process answers it."""

Take = Callable[[socket.socket, bytes], None]
Hear = Callable[[bytes], None]
End = Callable[[], None]


def channel() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a channel, which keeps messages apart and each with its connection.

    Raises `OSError` where the system has none.
    """
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Handover:
    """One end of the channel between the two processes; used on the event loop.

    Nothing here waits: if the other process does not read, requests stay where they are.
    """

    def __init__(self, belongs: Belongs) -> None:
        """Pass on connections whose next request does not belong here."""
        self._belongs = belongs
        self._channel: socket.socket | None = None
        self.open_until = 0.0
        """The time, on the monotonic clock, until which the other process is trusted to answer."""

    def attach(self, end: socket.socket, take: Take, hear: Hear, ended: End) -> None:
        """Receive at this end: connections for `take`, reports for `hear`, `ended` at its end."""
        end.setblocking(False)
        self._channel, self.open_until = end, 0.0
        asyncio.get_running_loop().add_reader(end, self._receive, end, take, hear, ended)

    def pass_on(self, transport: asyncio.Transport, received: bytearray) -> bool:
        """Pass a connection on if its next request does not belong here; return whether it was."""
        if self._channel is None or monotonic() > self.open_until or len(received) > MAX_PASSED:
            return False
        target = _target(received)
        if target is None or self._belongs(target):
            return False
        if transport.get_write_buffer_size():
            return False  # the end of a response would be lost
        transport.pause_reading()  # what comes from now on is read by the other process
        connection = transport.get_extra_info("socket").fileno()
        try:
            socket.send_fds(self._channel, [_CONNECTION, received], [connection])
        except OSError:
            transport.resume_reading()
            return False
        transport.abort()  # closes it here only
        return True

    def report(self, message: bytes) -> None:
        """Send a message, unless the other process does not read."""
        if self._channel is not None:
            with suppress(OSError):
                self._channel.send(_REPORT + message)

    def finish(self) -> None:
        """Pass on nothing from now on, and tell the other process so; safe in a signal handler."""
        self.open_until = 0.0
        if self._channel is not None:
            with suppress(OSError):
                self._channel.shutdown(socket.SHUT_RDWR)  # nor can anything come back

    def close(self) -> None:
        """Close this end."""
        self.open_until = 0.0
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _receive(self, end: socket.socket, take: Take, hear: Hear, ended: End) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(end, 1 + MAX_PASSED, 1)
        except BlockingIOError:
            return
        except OSError:
            message, descriptors = b"", []
        if not message:
            asyncio.get_running_loop().remove_reader(end)
            end.close()
            if end is self._channel:  # and not another one, attached since
                self.close()
                ended()
        elif descriptors:
            take(socket.socket(fileno=descriptors[0]), message[1:])
        elif message.startswith(_REPORT):
            hear(message[1:])
        else:
            _log.warning("a connection was lost: too many files are open")


def _target(received: bytearray) -> bytes | None:
    """Return what the next request is for; None where its first line has not come yet."""
    parts = received[: received.find(b"\n") + 1].split(b" ", 2)
    return bytes(parts[1]) if len(parts) > 2 else None  # noqa: PLR2004 — method, target, version
