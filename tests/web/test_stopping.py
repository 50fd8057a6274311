"""The end of the service: what is under way is answered, and nobody need lose a connection."""

import signal
import socket
from pathlib import Path
from time import sleep

import httpx
import service_process
from servers import Running, signed
from sockets import connected, parse, read_to_end, webhook


def test_a_request_on_a_connection_that_was_idle_is_still_answered(
    sqlite_server: Running, day_lines: list[bytes]
) -> None:
    """Its client cannot know yet that the service is told to end."""
    with connected(sqlite_server) as client:
        client.sendall(webhook(day_lines[0], last=False))
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        sqlite_server.server.handle_exit(signal.SIGTERM, None)
        sleep(0.4)
        client.sendall(webhook(day_lines[1], last=False))
        [reply] = parse(read_to_end(client))
        assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_an_idle_connection_does_not_keep_the_service_from_ending(sqlite_server: Running) -> None:
    with connected(sqlite_server) as client:
        sqlite_server.server.handle_exit(signal.SIGTERM, None)
        assert read_to_end(client) == b""


def test_with_a_socket_of_systemd_a_restart_refuses_no_connection(
    tmp_path: Path, day_lines: list[bytes]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, httpx.Client(timeout=60) as client:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        take = f"exec 3<&{listening.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$"
        run = f"{take}; exec {service_process.PROGRAM} serve"
        for body in day_lines[:2]:  # each by a process of its own
            with service_process.service(
                tmp_path, ["bash", "-c", run], [listening.fileno()]
            ) as process:
                with socket.create_connection(listening.getsockname(), 5):
                    assert service_process.address_of(process) == url
                sent = client.post(f"{url}/webhooks/dixa", content=body, headers=signed(body))
                assert sent.json()["outcome"] == "appended"
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
