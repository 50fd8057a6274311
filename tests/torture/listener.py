"""A listener to the live stream that hangs up now and then, and resumes where it was."""

from collections.abc import Iterator, Sequence
from random import Random
from threading import Thread

import httpx
from programs import Address
from pydantic_core import from_json

_SILENCE = 40.0


class Listener:
    """Notes the newest position of each conversation; what it is told must always be newer."""

    def __init__(self, addresses: Sequence[Address], seed: int) -> None:
        self.newest: dict[tuple[str, int], int] = {}
        self.last = 0
        self.calls = 0
        self.findings: list[str] = []
        self._addresses = list(addresses)
        self._dice = Random(f"listener {seed}")
        self._ended = False
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended = True

    def _run(self) -> None:
        with httpx.Client(timeout=_SILENCE) as client:
            while not self._ended:
                self.calls += 1
                try:
                    self._listen(client, self._dice.randint(1, 400))
                except httpx.HTTPError as error:
                    if not self._ended:
                        self.findings.append(f"the live stream: {type(error).__name__}: {error}")
                        return

    def _listen(self, client: httpx.Client, patience: int) -> None:
        """Listen until so many changes were told, then hang up."""
        host, port = self._dice.choice(self._addresses)
        headers = {"Last-Event-ID": str(self.last)}
        with client.stream("GET", f"http://{host}:{port}/v1/stream", headers=headers) as answer:
            answer.raise_for_status()
            for number, (position, data) in enumerate(_changes(answer.iter_lines())):
                self._note(position, data)
                if number >= patience or self._ended:
                    return

    def _note(self, position: int, data: str) -> None:
        document = from_json(data)
        if position <= self.last:
            self.findings.append(f"the live stream: after {self.last} came {position}")
        if document["position"] != position:
            self.findings.append(f"the live stream: {position} tells of {document['position']}")
        self.last = position
        self.newest[document["organization_id"], document["csid"]] = position


def _changes(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Read the events that tell of conversations."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields[name] = value
        if not line:
            if fields.get("event") == "conversation":
                yield int(fields["id"]), fields["data"]
            fields = {}
