"""The main job, by the installed program as a user runs it: a day goes in, the states come out."""

import json
import random
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dixa_state import cli

Run = Callable[..., Any]


@pytest.fixture
def postgres_url(make_postgres_store: Callable[[], str]) -> str:
    """A store without views: whichever process comes first makes them."""
    return make_postgres_store()


@pytest.fixture
def installed(store_url: str, tmp_path: Path) -> Run:
    """Run `dixa-state ARGS --store URL --json` somewhere else, and return the JSON it prints."""

    def command(*arguments: object) -> Any:
        words = ["dixa-state", *map(str, arguments), "--store", store_url, "--json"]
        done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=True)
        return documents(done.stdout)

    return command


@pytest.fixture
def run(
    store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run the same command in this process, which is ten times as fast."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Any:
        code = cli.run([*map(str, arguments), "--store", store_url, "--json"])
        shown = capsys.readouterr()
        assert code == 0, shown.err
        return documents(shown.out)

    return command


def documents(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def check(run: Run, expected: dict[str, Any], *, ordered: bool = False) -> None:
    for csid, outcome in expected["conversations"].items():
        [status] = run("status", csid)
        moves = run("audit", csid)
        assert [[move["from"], move["to"], move["at"][11:-1]] for move in moves] == outcome[
            "transitions"
        ]
        in_order = {} if ordered else {"late": status["counts"]["late"]}
        assert status["counts"] | outcome["counts"] | in_order == status["counts"]
        assert status["durations"] | outcome["durations"] == status["durations"]
        shown = {
            **{name: status[name] for name in ("status", "status_since", "tags", "sla_status")},
            "requester": status["requester"]["email"],
            "assignee": status["assignee"] and status["assignee"]["email"],
            "queue": status["queue"]["name"],
            "custom_attributes": status["custom_attributes"],
            "sla": {item["metric"]: item["status"] for item in status["sla"]},
            "ratings": [
                {name: rating[name] for name in ("type", "score", "comment")}
                for rating in status["ratings"]
            ],
        }
        assert shown | outcome == outcome | {name: shown[name] for name in shown.keys() - outcome}
    for moment, status in expected["as_of"]["70431"].items():
        assert run("status", 70431, "--as-of", moment)[0]["status"] == status
    now = {ban["id"] for ban in run("bans")}
    bans = run("bans", "--history")
    assert now == {ban["id"] for ban in bans if ban["banned"]}
    assert {
        "endusers": {ban["user"]["email"]: ban["banned"] for ban in bans if ban["user"]},
        "ips": {ban["id"]: ban["banned"] for ban in bans if ban["kind"] == "ip"},
    } == expected["bans"]


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report[name] for name in ("read", "appended", "duplicates", "quarantined"))


def test_the_day_as_it_came(
    run: Run, installed: Run, data: Path, day_expected: dict[str, Any]
) -> None:
    [report] = installed("ingest", data / "day.jsonl")
    assert counts(report) == (45, 45, 0, 0)
    assert report["seconds"] > 0
    check(run, day_expected, ordered=True)
    for question in (["status", 70431], ["audit", 70431]):
        assert settled(installed(*question)) == settled(run(*question))


def settled(answers: list[Any]) -> list[Any]:
    """Leave out what grows with the time that has passed."""
    return [
        {name: value for name, value in answer.items() if name not in {"as_of", "durations"}}
        for answer in answers
    ]


def test_the_day_shuffled_with_every_line_doubled(
    run: Run, day_lines: list[bytes], day_expected: dict[str, Any], tmp_path: Path
) -> None:
    lines = 2 * day_lines
    random.Random(1).shuffle(lines)
    (tmp_path / "day.jsonl").write_bytes(b"\n".join(lines))
    [report] = run("ingest", "day.jsonl")
    assert counts(report) == (90, 45, 45, 0)
    check(run, day_expected)


def test_the_day_in_two_halves_by_two_processes_at_the_same_time(
    run: Run,
    installed: Run,
    day_lines: list[bytes],
    day_expected: dict[str, Any],
    tmp_path: Path,
) -> None:
    for name, half in (("even", day_lines[::2]), ("odd", day_lines[1::2])):
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(half))
    with ThreadPoolExecutor() as pool:
        reports = pool.map(installed, ["ingest", "ingest"], ["even.jsonl", "odd.jsonl"])
    assert sum(report["appended"] for [report] in reports) == 45
    check(run, day_expected)


def test_broken_lines_are_set_aside_and_the_rest_goes_on(
    run: Run, day_lines: list[bytes], day_expected: dict[str, Any], tmp_path: Path
) -> None:
    mixed = [b"{broken", *day_lines[:20], b"42", b"[" * 5_000_000, *day_lines[20:], b'"']
    (tmp_path / "mixed.jsonl").write_bytes(b"\n".join(mixed))
    [report] = run("ingest", "mixed.jsonl")
    assert counts(report) == (49, 45, 0, 4)
    listed = run("quarantine", "list")
    assert [item["id"] for item in listed] == [1, 2, 3, 4]
    assert run("quarantine", "show", 1)[0]["body"] == "{broken"
    check(run, day_expected)
