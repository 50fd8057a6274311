"""A prober: asks a service all the time, and notes what it answers and how long that takes."""

from collections import Counter, defaultdict
from threading import Event as Signal
from threading import Thread
from time import monotonic
from typing import Self

import httpx
from programs import Program

from dixa_state.web import executor, operations

_BUSY = 5.0  # what a machine may take on which much else runs
BOUNDS = {
    "/healthz": _BUSY,
    "/readyz": operations.PROBE_TIMEOUT + _BUSY,
    "/v1/conversations?pageLimit=1": executor.QUERY_TIMEOUT + _BUSY,
}
_EVERY = 0.2
_ANSWERS = (200, 503)


class Prober:
    """Asks each address in a thread of its own; `server` may be exchanged."""

    def __init__(self, server: Program) -> None:
        self.server = server
        self.answers: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.longest: defaultdict[str, float] = defaultdict(float)
        self.findings: list[str] = []
        self.resting = False
        # To make one for each request would take half a core from the load.
        self._client = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
        self._stop = Signal()
        self._threads = [
            Thread(target=self._run, args=(path, bound), daemon=True)
            for path, bound in BOUNDS.items()
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def ask(self, path: str) -> httpx.Response:
        host, port = self.server.address()
        return self._client.get(f"http://{host}:{port}{path}", timeout=BOUNDS[path])

    def views_position(self) -> int:
        """Give the position that the views have reached; 0 if the service does not tell."""
        try:
            return int(self.ask("/readyz").json()["views_position"] or 0)
        except httpx.HTTPError:
            return 0

    def _run(self, path: str, bound: float) -> None:
        while not self._stop.wait(_EVERY):
            if self.resting:
                continue
            begun = monotonic()
            try:
                self._note(path, self.ask(path))
            except httpx.TimeoutException:
                self._complain(f"{path}: no answer within {bound:.0f} s")
            except httpx.HTTPError as error:
                self._complain(f"{path}: {type(error).__name__}: {error}")
            if not self.resting:
                self.longest[path] = max(self.longest[path], monotonic() - begun)

    def _note(self, path: str, answer: httpx.Response) -> None:
        self.answers[path][answer.status_code] += 1
        if answer.status_code not in _ANSWERS or (path == "/healthz" and not answer.is_success):
            self._complain(f"{path}: {answer.status_code} {answer.text[:300]}")

    def _complain(self, finding: str) -> None:
        if not self.resting:
            self.findings.append(finding)
