"""The command `simulate`: bodies to a file or to standard output, the truth beside them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from dixa_state.cli import commands
from dixa_state.errors import InvalidInputError
from dixa_state.simulate import Plan, bodies, json_line


def command(*words: object) -> None:
    commands.main(["simulate", *map(str, words)], standalone_mode=False)


def test_bodies_are_json_lines_in_a_file(simulated: Callable[..., Any]) -> None:
    files = simulated(30, "--shuffle", 60, seed=5)
    plan = Plan(conversations=30, seed=5, shuffle=60)
    assert files.lines == [json_line(simulated.body) for simulated in bodies(plan)]


def test_the_truth_has_a_line_for_every_conversation(simulated: Callable[..., Any]) -> None:
    files = simulated(30)
    shown = [webhook["data"].get("conversation") for webhook in files.webhooks]
    begun = {conversation["csid"] for conversation in shown if conversation}
    assert files.conversations.keys() == begun
    assert len(begun) == 30


def test_bodies_go_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    command("--conversations", 5, "--seed", 1, "-")
    shown = capfdbinary.readouterr()
    assert shown.out.splitlines() == [
        json_line(body) for _, body in bodies(Plan(conversations=5, seed=1))
    ]
    assert shown.err == b""


def test_a_simulation_begins_when_it_is_told_to(tmp_path: Path) -> None:
    words = ["--conversations", 5, "--seed", 1, "--start", "2025-06-02", "--days", 0.5]
    command(*words, tmp_path / "out")
    first = json.loads((tmp_path / "out").read_bytes().splitlines()[0])
    assert first["event_timestamp"].startswith("2025-06-02T")


def test_stories_and_the_events_of_a_subscription_are_options(tmp_path: Path) -> None:
    words = ["--conversations", 100, "--seed", 1, "--story", "sla_without_id"]
    command(*words, "--only", "SLA_EVALUATION_BREACHED", tmp_path / "out")
    told = [json.loads(line) for line in (tmp_path / "out").read_bytes().splitlines()]
    assert {body["event_fqn"] for body in told} == {"SLA_EVALUATION_BREACHED"}
    assert {"id" in body["data"]["sla_evaluation"] for body in told} == {False, True}


def test_nonsense_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="drop: expected a number from 0 to 1, got 2"):
        command("--conversations", 5, "--seed", 1, "--drop", 2, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["-", "out.jsonl"])
def test_the_truth_needs_a_place_of_its_own(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match="--truth: expected another place than OUT"):
        command("--conversations", 5, "--seed", 1, "--truth", place, place)
    assert not list(tmp_path.iterdir())


def test_a_file_may_be_called_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command("--conversations", 1, "--seed", 1, "./-")
    assert (tmp_path / "-").read_bytes().startswith(b"{")
