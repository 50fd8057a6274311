"""What strangers hold open takes little memory; measured as the peak of a process of its own."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
import service_process
from sockets import connect, request

MEGABYTE = 1 << 20


class Service:
    """A service in a process of its own."""

    def __init__(self, pid: int, url: str) -> None:
        self.url = url
        self._status = Path(f"/proc/{pid}/status")

    @property
    def peak(self) -> int:
        """The most memory that it has had, in bytes."""
        [kilobytes] = re.findall(r"VmHWM:\s+(\d+) kB", self._status.read_text(encoding="ascii"))
        return int(kilobytes) << 10


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with service_process.service(tmp_path) as process:
        yield Service(process.pid, service_process.address_of(process))


@contextmanager
def sent(service: Service, connections: int, data: bytes) -> Iterator[None]:
    """Send on so many connections, as much as is taken within some seconds, and read nothing."""
    with ExitStack() as clients:
        unsent = {}
        for _ in range(connections):
            client = clients.enter_context(connect(service.url, receive_buffer=4_096))
            client.setblocking(False)
            unsent[client] = data
        until = monotonic() + 3
        while unsent and monotonic() < until:
            for client, rest in list(unsent.items()):
                try:
                    unsent[client] = rest[client.send(rest) :]
                except BlockingIOError:
                    continue
                except ConnectionError:
                    unsent[client] = b""
                if not unsent[client]:
                    del unsent[client]
            sleep(0.01)
        yield


def test_many_pipelined_requests_take_no_memory(service: Service) -> None:
    before = service.peak
    with sent(service, 50, request("GET /healthz", last=False) * 6_000):
        assert httpx.get(f"{service.url}/healthz", timeout=30).status_code == 200
        assert service.peak - before < 60 * MEGABYTE


def test_many_unfinished_headers_take_no_memory(service: Service) -> None:
    before = service.peak
    lines = b"GET /healthz HTTP/1.1\r\n" + b"Xy: yx\r\n" * 10_000
    with sent(service, 400, lines[: 62 << 10]):
        assert httpx.get(f"{service.url}/healthz", timeout=30).status_code == 200
        assert service.peak - before < 60 * MEGABYTE
