"""What the tests of the simulator share: simulations at hand, and how to compare with the truth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dixa_state.cli import commands, run

Document = dict[str, Any]


class Shown(NamedTuple):
    """What a command printed."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[Document]:
        return [json.loads(line) for line in self.out.splitlines()]


class Simulation(NamedTuple):
    """The files that `simulate` wrote."""

    bodies: Path
    truth: Path

    @property
    def lines(self) -> list[bytes]:
        return self.bodies.read_bytes().splitlines()

    @property
    def webhooks(self) -> list[Document]:
        return [json.loads(line) for line in self.lines]

    @property
    def conversations(self) -> dict[int, Document]:
        return {told["csid"]: told for told in self._told() if told["kind"] == "conversation"}

    @property
    def bans(self) -> dict[str, Document]:
        return {told["id"]: told for told in self._told() if told["kind"] != "conversation"}

    def _told(self) -> list[Document]:
        return [json.loads(line) for line in self.truth.read_bytes().splitlines()]


@pytest.fixture
def simulated(tmp_path: Path) -> Callable[..., Simulation]:
    """Run `simulate` with these options."""

    def command(conversations: int, *options: object, seed: int = 1) -> Simulation:
        files = Simulation(tmp_path / "bodies.jsonl", tmp_path / "truth.jsonl")
        words = ["--conversations", conversations, "--seed", seed, "--truth", files.truth]
        arguments = [str(word) for word in (*words, *options, files.bodies)]
        commands.main(["simulate", *arguments], standalone_mode=False)
        return files

    return command


@pytest.fixture
def call(store_url: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., Shown]:
    """Run a command on the store."""

    def command(*arguments: object) -> Shown:
        code = run([*map(str, arguments), "--store", store_url])
        return Shown(code, *capsys.readouterr())

    return command
