"""What no HTTP client sends: bytes on a socket, and whatever answers come back."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from servers import Running, signed

PATIENCE = 15.0


class Reply(NamedTuple):
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


def connected(
    server: Running, *, receive_buffer: int | None = None
) -> AbstractContextManager[socket.socket]:
    """Connect to a server of the tests."""
    return connect(server.url, receive_buffer=receive_buffer)


@contextmanager
def connect(url: str, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """Connect; a small buffer is that of a client which cannot take much at a time."""
    with socket.socket() as client:
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        address = urlsplit(url)
        client.settimeout(PATIENCE)
        client.connect((address.hostname, address.port))
        yield client


def exchange(server: Running, data: bytes, *, hang_up: bool = False) -> list[Reply]:
    """Send, and read all answers until the server ends the connection.

    What it ends early cannot all be sent; with `hang_up`, it is told that nothing more will come.
    """
    with connected(server) as client:
        with suppress(ConnectionError):
            client.sendall(data)
            if hang_up:
                client.shutdown(socket.SHUT_WR)
        return parse(read_to_end(client))


def read_to_end(client: socket.socket) -> bytes:
    """Read until the server closes; that it resets what it will not read is an end as well."""
    received = bytearray()
    with suppress(ConnectionError):
        while chunk := client.recv(1 << 16):
            received += chunk
    return bytes(received)


def parse(received: bytes) -> list[Reply]:
    """Take answers of a known length apart."""
    replies = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        headers = {name.lower(): value for name, _, value in pairs}
        size = int(headers.get("content-length", 0))
        replies.append(Reply(int(first.split()[1]), headers, rest[:size]))
        received = rest[size:]
    return replies


def request(line: str, *headers: str, body: bytes = b"", last: bool = True) -> bytes:
    """Write a request of one's own making; `last` asks the server to end the connection."""
    fixed = ["Host: localhost", *(["Connection: close"] if last else [])]
    return "\r\n".join([f"{line} HTTP/1.1", *fixed, *headers, "", ""]).encode("latin-1") + body


def webhook(body: bytes, *headers: str, sized: bool = True, last: bool = True) -> bytes:
    """Write a webhook as Dixa would."""
    own = [f"{name}: {value}" for name, value in signed(body).items()]
    size = [f"Content-Length: {len(body)}"] if sized else []
    sent = body if sized else chunked(body)
    return request("POST /webhooks/dixa", *own, *size, *headers, body=sent, last=last)


def chunked(*chunks: bytes, end: bool = True) -> bytes:
    """Write a body in chunks."""
    written = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return written + (b"0\r\n\r\n" if end else b"")
