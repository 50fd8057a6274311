"""The program as processes: started, killed, stopped, paused, each with its children."""

import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from time import monotonic, sleep
from typing import TypeVar

SECRET = "00112233445566778899aabbccddeeff"  # noqa: S105 — for tests only
INSTALLED = (str(Path(sys.executable).parent / "dixa-state"),)
STARTS_WITHIN = 60.0
STOPS_WITHIN = 45.0

_SERVING = re.compile(rb"serving on http://([0-9.]+):([0-9]+)")
_POLL = 0.005

Address = tuple[str, int]
T = TypeVar("T")


class HarnessError(Exception):
    """The program did something, or failed to, that leaves nothing to go on with."""


class Program:
    """One process of the program, leader of its own group, so that its workers die with it."""

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        *,
        command: Sequence[str] = INSTALLED,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.name = arguments[0]
        self.log = log
        self._place: Address | None = None
        self.printed = log.with_suffix(".out")
        with log.open("wb") as errors, self.printed.open("wb") as output:
            self.process = Popen(
                [*command, *arguments],
                stdin=DEVNULL,
                stdout=output,
                stderr=errors,
                env=_environment(settings or {}),
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def address(self, seconds: float = STARTS_WITHIN) -> Address:
        """Wait until it serves, and tell where."""
        return until(self.place, seconds, f"an address of {self.name}")

    def place(self) -> Address | None:
        """Tell where it serves, None if it does not yet."""
        if self._place is None and (found := _SERVING.search(self.said())):
            self._place = found[1].decode(), int(found[2])
        if self._place is None and not self.alive:
            raise HarnessError(f"{self.name} does not serve: {self.said().decode()[-2000:]}")
        return self._place

    def said(self) -> bytes:
        return self.log.read_bytes()

    def tracebacks(self) -> list[str]:
        """Give what it logged of exceptions that it did not expect."""
        said = self.said().decode(errors="replace")
        at = said.find("Traceback")
        return [f"{self.name} logged: {said[max(0, at - 300) : at + 3000]}"] if at >= 0 else []

    def kill(self) -> None:
        """End it and its children at once, wherever they are."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = STOPS_WITHIN) -> int | None:
        """Ask it to end and give its exit code; None if it had to be killed."""
        self._signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int | None:
        try:
            return self.process.wait(seconds)
        except TimeoutExpired:
            self.kill()
            return None

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            os.killpg(self.process.pid, number)


class Programs:
    """Starts programs on one store, and ends all that are left."""

    def __init__(
        self,
        store: str,
        folder: Path,
        *,
        command: Sequence[str] = INSTALLED,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.folder = folder
        self._command = command
        self._settings = settings or {}
        self.started: list[Program] = []

    def start(self, name: str, *arguments: str) -> Program:
        log = self.folder / f"{len(self.started):05d}-{name}.log"
        given = (name, "--store", self.store, *arguments)
        program = Program(given, log, command=self._command, settings=self._settings)
        self.started.append(program)
        return program

    def serve(self) -> Program:
        return self.start("serve", "--port", "0")

    def run(self, name: str, *arguments: str, seconds: float = 600) -> tuple[int | None, str]:
        """Run a command to its end; give its exit code and what it said."""
        program = self.start(name, *arguments)
        return program.wait(seconds), program.said().decode(errors="replace")

    def close(self) -> None:
        for program in self.started:
            if program.alive:
                program.kill()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DIXA_STATE_")}
    given = {"WEBHOOK_SECRETS": SECRET, "LOG_LEVEL": "warning", **settings}
    return clean | {f"DIXA_STATE_{name}": value for name, value in given.items()}


def until(holds: Callable[[], T | None], seconds: float, what: str = "") -> T:
    """Wait until something holds, and give it; raises `HarnessError` if it does not in time."""
    end = monotonic() + seconds
    while not (found := holds()):
        if monotonic() > end:
            raise HarnessError(f"{what or 'something'} did not come to hold within {seconds:.0f} s")
        sleep(_POLL)
    return found
