"""The command line: what goes where, which exit code, and messages that say what to do next."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dixa_state import open_tracker
from dixa_state.cli import run

Command = Callable[..., "Result"]


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: object) -> Result:
        code = run([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture
def day(command: Command, data: Path) -> Command:
    assert command("ingest", data / "day.jsonl").code == 0
    return command


def test_help_is_there_for_every_command(command: Command) -> None:
    shown = command("--help")
    assert (shown.code, shown.err) == (0, "")
    assert "..." not in shown.out.partition("Commands:\n")[2]  # a summary that does not fit is cut
    names = [line.split()[0] for line in shown.out.partition("Commands:\n")[2].splitlines()]
    assert set(names) == {
        *("ingest", "status", "list", "timeline", "audit", "sla", "stats", "bans"),
        *("events", "why"),
        *("replay", "verify", "quarantine", "schema", "serve", "demo", "simulate"),
        *("send", "doctor"),
    }
    for name in names:
        assert command(name, "--help").out.startswith(f"Usage: dixa-state {name}")


def test_without_arguments_it_shows_what_it_can_do_and_calls_that_wrong_usage(
    command: Command,
) -> None:
    shown = command()
    assert shown.code == 2
    assert "Usage: dixa-state" in shown.err


def test_a_time_is_written_in_the_same_ways_wherever_there_is_one(day: Command) -> None:
    moves = day("audit", "--json").rows
    week = ("--since", "2026-W10", "--until", "2026-W11")
    assert day("audit", *week, "--json").rows == moves
    assert day("audit", "--since", "2026-04", "--json").rows == []
    assert day("list", "--created-since", "-9999d", "--json").rows
    assert day("status", 70431, "--as-of", "today", "--json").rows[0]["status"] == "closed"
    assert day("status", 70431, "--known-at", "2026-03", "--json").code == 3


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").out.startswith("dixa-state, version 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status"], "Missing argument 'CSID'"),
        (["status", "seven"], "expected a whole number from 1 to 9223372036854775807, got 'seven'"),
        (["status", "-7"], "No such option"),
        (["status", "7", "--as-of", "noon"], "expected a time such as 2026-03-02T08:00:00Z"),
        (["audit", "7", "--from", "asleep"], "'asleep' is not one of 'open', 'pending'"),
        (["audit", "--as-of", "2026-03-03"], "expected a CSID with them"),
        (["ingest"], "Missing argument"),
        (["fly"], "No such command 'fly'"),
        (["lsit"], "Did you mean 'list'?"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_was_expected(
    command: Command, arguments: list[str], message: str
) -> None:
    shown = command(*arguments)
    assert (shown.code, shown.out) == (2, "")
    assert message in shown.err


def test_since_after_until_is_exit_code_2(day: Command) -> None:
    for csid in ([], [70431]):
        shown = day("audit", *csid, "--since", "2026-03-03", "--until", "2026-03-02")
        assert (shown.code, shown.out) == (2, "")
        assert "since: expected a time before 2026-03-02T00:00:00.000Z" in shown.err


def test_an_unknown_conversation_is_exit_code_3(day: Command) -> None:
    shown = day("status", 1)
    assert (shown.code, shown.out) == (3, "")
    assert shown.err == "dixa-state: conversation 1: no webhook about it is in the store\n"


def test_a_moment_before_the_conversation_is_exit_code_3(day: Command) -> None:
    shown = day("status", 70431, "--as-of", "2026-03-02T07:00:00Z")
    assert shown.code == 3
    assert "its first webhook is of 2026-03-02T08:00:00.000Z" in shown.err


def test_a_missing_store_is_exit_code_1_and_says_how_to_make_one(command: Command) -> None:
    shown = command("status", 1)
    assert shown.code == 1
    assert "no store at dixa-state.db: `dixa-state ingest FILE" in shown.err
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("store", "code", "message"),
    [
        ("mysql://root:hunter2@db/x", 2, "expected sqlite:///file.db or postgresql://"),
        ("memory:", 2, "expected sqlite:///file.db"),
        ("sqlite:///", 2, "expected sqlite:///file.db"),
        ("sqlite://day.db", 2, "expected sqlite:///file.db"),
        ("sqlite:///no/such/folder/day.db", 2, "expected a folder no/such/folder"),
        ("postgresql://u:hunter2@127.0.0.1:1/x", 1, "the PostgreSQL store cannot be used now"),
        ("postgresql://127.0.0.1:port/x", 1, "the PostgreSQL store cannot be used now"),
    ],
)
def test_a_wrong_store_is_one_line_without_the_password(
    command: Command, data: Path, store: str, code: int, message: str
) -> None:
    shown = command("ingest", data / "day.jsonl", "--store", store)
    assert (shown.code, shown.out) == (code, "")
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert "hunter2" not in shown.err


def test_a_wrong_setting_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIXA_STATE_SNAPSHOT_GRACE", "soon")
    shown = command("status", 1)
    assert shown.code == 2
    assert "DIXA_STATE_SNAPSHOT_GRACE: " in shown.err
    assert "'soon'" in shown.err


def test_settings_come_from_the_environment_and_from_dot_env(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("DIXA_STATE_STORE=sqlite:///from-file.db\n")
    command("ingest", data / "day.jsonl")
    assert Path("from-file.db").exists()
    monkeypatch.setenv("DIXA_STATE_STORE", "sqlite:///from-environment.db")
    command("ingest", data / "day.jsonl")
    assert Path("from-environment.db").exists()


def test_the_grace_setting_reaches_the_fold(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [
        {"event_fqn": "CONVERSATION_CREATED", "seconds": 0, "status": "OPEN"},
        {"event_fqn": "CONVERSATION_CLOSED", "seconds": 5, "status": "CLOSED"},
        {"event_fqn": "TYPING_STARTED", "seconds": 20, "status": "OPEN"},
    ]
    lines = [
        json.dumps(
            {
                "event_id": body["event_fqn"],
                "event_fqn": body["event_fqn"],
                "event_timestamp": f"2026-03-02T08:00:{body['seconds']:02}Z",
                "data": {"conversation": {"csid": 7, "status": body["status"]}},
            }
        )
        for body in bodies
    ]
    Path("bodies.jsonl").write_text("\n".join(lines))
    command("ingest", "bodies.jsonl")
    assert command("status", 7, "--json").rows[0]["status"] == "open"
    monkeypatch.setenv("DIXA_STATE_SNAPSHOT_GRACE", "60")
    assert command("status", 7, "--json").rows[0]["status"] == "closed"


def test_known_at_asks_what_had_been_received_until_then(day: Command) -> None:
    assert day("status", 70431, "--known-at", "2026-03-03").code == 3
    now = day("status", 70431, "--json").rows[0]
    assert now["known_at"] is None
    known_at = datetime.now(UTC).isoformat()
    then = day("status", 70431, "--known-at", known_at, "--as-of", "2026-03-02T08:30:00Z", "--json")
    assert (then.rows[0]["status"], then.rows[0]["as_of"]) == (
        "pending",
        "2026-03-02T08:30:00.000Z",
    )
    assert then.rows[0]["known_at"] is not None


def test_ingest_counts_and_says_what_was_set_aside_and_how_to_see_it(command: Command) -> None:
    Path("bad.jsonl").write_text("{broken\n\n42\n")
    shown = command("ingest", "bad.jsonl", "--anyway", "--json")
    assert shown.code == 0
    [report] = shown.rows
    assert {name: report[name] for name in report if name != "seconds"} == {
        "read": 2,
        "appended": 0,
        "duplicates": 0,
        "quarantined": 2,
    }
    assert "quarantined 1: bad.jsonl:1: expected JSON, got '{broken'" in shown.err
    assert "see them with `dixa-state quarantine list`" in shown.err


def test_a_file_that_cannot_be_read_does_not_stop_the_others(command: Command, data: Path) -> None:
    shown = command("ingest", "nowhere.jsonl", data / "day.jsonl", "--json")
    assert shown.code == 1
    assert shown.rows[0]["appended"] == 45
    assert "dixa-state: nowhere.jsonl: expected a readable file" in shown.err


def test_many_quarantined_bodies_are_counted_rather_than_listed(command: Command) -> None:
    Path("bad.jsonl").write_text("".join(f"{{{n}\n" for n in range(3_000)))
    shown = command("ingest", "bad.jsonl", "--anyway")
    assert "… and 2,980 more" in shown.err
    assert shown.err.count("quarantined ") == 20


@pytest.mark.parametrize("lines", [1, 19, 2_000])
def test_a_file_that_does_not_begin_with_webhooks_is_refused_with_exit_code_1(
    command: Command, lines: int
) -> None:
    Path("sales.csv").write_text("".join(f"{n},a tent\n" for n in range(lines)))
    shown = command("ingest", "sales.csv")
    assert shown.code == 1
    assert "sales.csv: expected a webhook among the first 20 bodies, got none" in shown.err
    assert command("quarantine", "list", "--json").rows == []
    assert command("ingest", "sales.csv", "--anyway", "--json").rows[0]["quarantined"] == lines


def test_a_webhook_among_the_first_twenty_lines_is_enough(command: Command, data: Path) -> None:
    day = (data / "day.jsonl").read_text()
    Path("mixed.jsonl").write_text("no json\n" * 19 + day)
    assert command("ingest", "mixed.jsonl", "--json").rows[0]["appended"] == 45


def test_several_quarantined_bodies_are_discarded_at_once(command: Command) -> None:
    Path("bad.jsonl").write_text("1\n2\n3\n4\nno json\nnone\n")
    command("ingest", "bad.jsonl", "--anyway")
    assert len(command("quarantine", "list", "--limit", 2, "--json").rows) == 2
    assert command("quarantine", "discard", 1, 2).code == 0
    assert command("quarantine", "discard", 1, 3).code == 3
    assert command("quarantine", "discard", "--reason", "not_json").code == 0
    assert [row["id"] for row in command("quarantine", "list", "--json").rows] == [3, 4]
    assert command("quarantine", "discard").code == 2
    assert command("quarantine", "discard", 3, "--all").code == 2
    assert command("quarantine", "discard", "--all").code == 0
    assert command("quarantine", "list", "--json").rows == []


def test_status_is_the_object_of_the_contract(day: Command) -> None:
    [status] = day("status", 70431, "--json").rows
    assert list(status) == [
        *("organization_id", "csid", "status", "status_since", "dixa_status", "channel"),
        *("direction", "subject", "contact_point", "created_at", "requester", "assignee"),
        *("assigned_at", "queue", "enqueued_at", "waiting_since", "tags", "custom_attributes"),
        *("sla_status", "sla", "ratings", "counts", "times", "durations", "starts_midlife"),
        *("version", "position", "as_of", "known_at"),
    ]
    assert list(status["requester"]) == ["id", "name", "email", "phone", "user_type"]
    assert list(status["queue"]) == ["id", "name"]
    assert list(status["sla"][0]) == [
        *("id", "policy", "metric", "status", "deadline", "since", "breached_late_at"),
    ]
    assert list(status["ratings"][0]) == ["type", "score", "comment", "agent", "rated_at"]
    assert set(status["counts"]) >= {
        *("events", "messages_inbound", "messages_outbound", "notes", "transfers", "reopens"),
        *("assignments", "irregular", "inferred", "late"),
    }
    assert set(status["times"]) >= {
        *("first_response_at", "first_assigned_at", "first_closed_at", "last_closed_at"),
        *("last_message_at", "last_event_at"),
    }
    assert set(status["durations"]) >= {
        *("first_response", "first_resolution", "full_resolution", "open", "pending"),
        *("closed", "abandoned", "queue_wait", "assigned"),
    }


def test_a_transition_is_the_object_of_the_contract(day: Command) -> None:
    move = day("audit", 70431, "--json").rows[1]
    assert move | {"received_at": ""} == {
        "organization_id": "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11",
        "csid": 70431,
        "sequence": 2,
        "from": "open",
        "to": "pending",
        "at": "2026-03-02T08:09:00.000Z",
        "received_at": "",
        "event_id": "154dfc1f-42b3-57af-9dc2-78939811ef7f",
        "event": "conversation.pending",
        "actor": None,
        "holder": {
            "id": "ecaacea3-18ce-5d04-8767-788cc6344f63",
            "name": "Ida Holm",
            "email": "ida@aurora.example",
        },
        "irregular": None,
        "inferred": False,
        "late": False,
        "seconds_in_previous": 540.0,
    }


@pytest.mark.parametrize(
    ("filters", "sequences"),
    [
        (["--from", "closed"], [5]),
        (["--to", "closed"], [4, 6]),
        (["--since", "2026-03-02T09:40:00Z", "--until", "2026-03-02T11:50:00Z"], [4, 5]),
        (["--irregular"], []),
        (["--inferred"], []),
        (["--late"], []),
        (["--as-of", "2026-03-02T08:30:00Z"], [1, 2]),
    ],
)
def test_audit_filters(day: Command, filters: list[str], sequences: list[int]) -> None:
    rows = day("audit", 70431, *filters, "--json").rows
    assert [move["sequence"] for move in rows] == sequences


def test_the_timeline_tells_before_and_after(day: Command) -> None:
    steps = day("timeline", 70431, "--json").rows
    assert len(steps) == 35
    assert steps[11]["event"] == "conversation.tag_added"
    assert steps[11]["changes"] == {"tags": {"before": [], "after": ["delivery"]}}
    assert steps[11]["details"] == {"tag": "delivery"}
    assert "assignee: none → Ida Holm" in day("timeline", 70431).out


def message(text: str) -> dict[str, Any]:
    """Return a webhook of tomorrow: Dixa's clock may be ahead."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    shown = {"csid": 7, "status": "OPEN", "direction": "INBOUND", "created_at": tomorrow}
    files = [{"name": "tent.jpg"}]
    said = {"text": text, "channel": "EMAIL", "direction": "inbound", "attachments": files}
    return {
        "event_id": "e",
        "event_fqn": "CONVERSATION_MESSAGE_ADDED",
        "event_timestamp": tomorrow,
        "data": {"conversation": shown, **said},
    }


def test_texts_of_a_timeline_are_cut_in_the_table_and_whole_in_json(command: Command) -> None:
    text = "Where is\nmy tent? " * 20
    Path("message.json").write_text(json.dumps(message(text)))
    command("ingest", "message.json")
    [step] = command("timeline", 7, "--json").rows
    told = {"text": text, "channel": "EMAIL", "attachments": ["tent.jpg"]}
    assert step["details"] == {"direction": "inbound", **told}
    shown = " ".join(command("timeline", 7).out.split())
    assert "Where is my tent? Where is my tent?" in shown
    assert shown.count("tent?") == 3
    assert "attached: tent.jpg" in shown


def test_no_time_is_below_zero_where_the_clock_of_dixa_is_ahead(command: Command) -> None:
    Path("message.json").write_text(json.dumps(message("Hello")))
    command("ingest", "message.json")
    assert " 0:00:00 " in command("list", "--sort", "open_since").out
    assert command("status", 7, "--json").rows[0]["durations"]["open"] == 0.0


def test_every_gap_that_an_agent_closed_is_shown(day: Command) -> None:
    assert day("status", 70431, "--json").rows[0]["durations"]["next_responses"] == [2699.99]
    assert "next_responses 0:45:00" in " ".join(day("status", 70431).out.split())


def test_what_was_missed_is_listed_with_its_evidence_and_its_window(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    webhooks = (data / "day.jsonl").read_text().splitlines(keepends=True)
    Path("lossy.jsonl").write_text("".join(line for line in webhooks if "TION_OPEN" not in line))
    command("ingest", "lossy.jsonl")
    [loss] = command("audit", "--missed", "--json").rows
    assert loss == {
        "organization_id": "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11",
        "csid": 70431,
        "field": "status",
        "tag": None,
        "after": "2026-03-02T09:40:00.000Z",
        "before": "2026-03-02T11:00:00.010Z",
        "proof": "inferred",
        "event_id": "1bf4d067-620a-5b09-b7fc-103b395493ea",
        "event": "conversation.message_added",
    }
    assert command("audit", "--missed").out.splitlines()[1].split("  ") == [
        *("70431", "status", "2026-03-02 09:40:00", "2026-03-02 11:00:00"),
        *("inferred", "message_added"),
    ]
    assert command("status", 70431, "--json").rows[0]["counts"]["missed"] == 1


def test_bans_with_and_without_history(day: Command) -> None:
    [ip] = day("bans", "--json").rows
    assert (ip["id"], ip["banned"], "history" in ip) == ("198.51.100.23", True, False)
    [jon] = [ban for ban in day("bans", "--history", "--json").rows if ban["kind"] == "enduser"]
    assert [change["banned"] for change in jon["history"]] == [True, False]
    assert jon["by"]["name"] == "Ida Holm"


def test_a_csid_in_two_organizations_asks_for_one_with_exit_code_2(
    day: Command, data: Path
) -> None:
    other = (data / "day.jsonl").read_text().replace("5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11", "two")
    Path("other.jsonl").write_text(other)
    day("ingest", "other.jsonl")
    shown = day("status", 70431)
    assert shown.code == 2
    assert "name one of them with --org: 5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11, two" in shown.err
    assert day("status", 70431, "--org", "two", "--json").rows[0]["organization_id"] == "two"
    shown = day("list", "--org", "Aurora Outdoors")
    assert shown.code == 3
    assert "got 'Aurora Outdoors'; the nearest known: Aurora Outdoor" in shown.err
    assert (
        "expected the id of one named 'aurora outdoor'"
        in day("list", "--org", "aurora outdoor").err
    )


def test_the_quarantine_from_list_to_discard(command: Command) -> None:
    Path("bad.jsonl").write_bytes(b'{"broken\x1b[31m"\n')
    command("ingest", "bad.jsonl", "--anyway")
    assert "expected JSON" in command("quarantine", "list").out
    assert command("quarantine", "show", 1, "--json").rows[0]["body"] == '{"broken\x1b[31m"'
    assert command("quarantine", "retry", "--json").rows[0]["outcome"] == "quarantined"
    assert command("quarantine", "discard", 1).code == 0
    assert command("quarantine", "list", "--json").rows == []
    assert command("quarantine", "list", "--all", "--json").rows[0]["resolution"] == "discarded"
    for arguments in (["show", 9], ["discard", 9], ["discard", 1], ["retry", 9]):
        assert command("quarantine", *arguments).code == 3


def test_no_control_sequence_from_outside_reaches_the_terminal(command: Command) -> None:
    body = {
        "event_id": "e",
        "event_fqn": "CONVERSATION_CREATED",
        "event_timestamp": "2026-03-02T08:00:00Z",
        "data": {
            "conversation": {"csid": 7, "subject": "\x1b]0;owned\x07[bold]hi", "status": "OPEN"}
        },
    }
    Path("b.json").write_text(json.dumps(body) + "\n\x1b[2J")
    for arguments in (
        ["ingest", "b.json"],
        ["status", 7],
        ["timeline", 7],
        ["quarantine", "show", 1],
    ):
        shown = command(*arguments)
        assert shown.code == 0
        assert "\x1b" not in shown.out + shown.err
    assert "[bold]hi" in command("status", 7).out


def test_schema_shows_and_applies(command: Command, postgres_url: str) -> None:
    assert "CREATE TABLE IF NOT EXISTS stored_events" in command("schema").out
    assert "BYTEA" in command("schema", "--store", postgres_url).out
    assert "CREATE ROLE" in command("schema", "--roles").out
    assert command("schema", "--roles", "--apply").code == 2
    assert command("schema", "--apply", "--store", "sqlite:///made.db").code == 0
    with open_tracker("sqlite:///made.db", create=False) as tracker:
        assert list(tracker.bans()) == []


def test_a_long_ingest_shows_how_far_it_is(data: Path, tmp_path: Path) -> None:
    read_end, terminal = pty.openpty()
    ingest = ["dixa-state", "ingest", data / "day.jsonl", "--store", f"sqlite:///{tmp_path}/p.db"]
    done = subprocess.run([*ingest, "--json"], stdout=subprocess.PIPE, stderr=terminal, check=True)
    os.close(terminal)
    shown = os.read(read_end, 65_536).decode()
    os.close(read_end)
    assert "Ingesting" in shown
    assert "100%" in shown
    assert "45 events" in shown
    assert json.loads(done.stdout)["appended"] == 45


@pytest.mark.usefixtures("day")
def test_output_into_a_closed_pipe_is_no_traceback() -> None:
    line = "set -o pipefail; dixa-state timeline 70431 --json | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_views_that_are_far_behind_are_rebuilt(
    command: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dixa_state.cli.options.FAR_BEHIND", 10)
    command("ingest", data / "day.jsonl")
    shown = command("list", "--json")
    assert [row["csid"] for row in shown.rows] == [70431, 70432]
    assert "building the views of 45 events" in shown.err
    assert command("list").err == ""
    assert "everything is as the events say" in command("verify").err


def test_output_that_a_program_reads_is_not_wrapped(
    day: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    lines = day("list").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["70431", "closed"], ["70432", "abandoned"]]
    assert [line for line in lines if line != line.rstrip()] == []


def test_an_empty_table_says_so(day: Command) -> None:
    shown = day("list", "--queue", "Support", "--status", "open")
    assert (shown.code, shown.err) == (0, "nothing to show\n")


def test_an_unknown_name_is_not_found_and_the_nearest_are_named(day: Command) -> None:
    shown = day("list", "--queue", "Suport")
    assert shown.code == 3
    assert shown.err.endswith("got 'Suport'; the nearest known: Support\n")


def test_a_database_of_another_program_is_left_alone(command: Command, data: Path) -> None:
    with closing(sqlite3.connect("other.db")) as other:
        other.execute("CREATE TABLE foo (bar)")
    shown = command("ingest", data / "day.jsonl", "--store", "sqlite:///other.db")
    assert shown.code == 1
    assert "expected a dixa_state store, got something else" in shown.err
    with closing(sqlite3.connect("other.db")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("foo",)]


def test_settings_in_another_encoding_are_one_message(command: Command) -> None:
    Path(".env").write_bytes(b"\xff\xfe\x00")
    shown = command("status", 1)
    assert shown.code == 2
    assert ".env: expected text in UTF-8" in shown.err


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_an_output_that_is_closed_is_written_to_no_more(closed: str) -> None:
    command = ["bash", "-c", f"dixa-state list {closed}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) is (closed == "2>&-")


@pytest.mark.usefixtures("day")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_the_output_is_one_line(
    unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = subprocess.run(
        ["bash", "-c", "dixa-state list > /dev/full"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "dixa-state: [Errno 28] No space left on device\n"


def test_the_doctor_says_on_one_page_how_everything_is(
    day: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = day("doctor")
    assert (shown.code, shown.err) == (
        1,
        "problem: no webhook secret is set: `serve` will not start\n",
    )
    monkeypatch.setenv("DIXA_STATE_WEBHOOK_SECRETS", "no hex")
    assert "DIXA_STATE_WEBHOOK_SECRETS: expected" in day("doctor").err
    assert day("list").code == 0
    assert day("events", 70431).code == 2
    monkeypatch.setenv("DIXA_STATE_WEBHOOK_SECRETS", "00" * 32)
    Path("bad.jsonl").write_text("{half\n")
    day("ingest", "bad.jsonl", "--anyway")
    day("list")
    [found] = day("doctor", "--json").rows
    assert (found["events"], found["views"], found["poison"]) == (45, "0 events behind", 0)
    assert found["verified"] == "never"
    assert found["settings"] == "DIXA_STATE_WEBHOOK_SECRETS"
    assert found["problems"] == ["1 bodies wait in quarantine: `quarantine list` shows them"]


def test_the_doctor_finds_no_store(command: Command) -> None:
    [found] = command("doctor", "--json").rows
    assert "no store at dixa-state.db" in found["problems"][1]
    assert not list(Path().iterdir())


def test_a_setting_that_does_not_exist_is_refused_with_the_nearest(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("DIXA_STATE_WEBHOOK_SECRET=00\nPOSTGRES_PASSWORD=x\n")
    shown = command("list")
    assert shown.code == 2
    assert "DIXA_STATE_WEBHOOK_SECRET: expected the name of a setting" in shown.err
    assert "did you mean DIXA_STATE_WEBHOOK_SECRETS?" in shown.err
    Path(".env").unlink()
    monkeypatch.setenv("DIXA_STATE_STOER", "x")
    assert "did you mean DIXA_STATE_STORE?" in command("list").err


INTERRUPTED = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its jobs ignore it
from dixa_state.__main__ import main
main()
"""


def test_interrupted_while_it_is_only_imported_it_ends_without_a_traceback() -> None:
    words = [sys.executable, "-c", INTERRUPTED, "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_the_package_runs_as_a_module_too() -> None:
    words = [sys.executable, "-m", "dixa_state", "--version"]
    assert "dixa-state" in subprocess.run(words, capture_output=True, text=True, check=True).stdout
