"""The commands that read the views: tables of 80 columns, objects of the contract, exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dixa_state.cli import run


class Shown(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def table(self) -> list[str]:
        return [line.rstrip() for line in self.out.splitlines()]


Command = Callable[..., Shown]


@pytest.fixture
def day(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Call commands in a terminal of 80 columns, on the example day."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: object) -> Shown:
        code = run([str(argument) for argument in arguments])
        return Shown(code, *capsys.readouterr())

    assert call("ingest", data / "day.jsonl").code == 0
    return call


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--as-of", "2026-03-02T12:00:00Z"],
        ["audit"],
        ["sla"],
        ["sla", "--attainment", "--by", "agent"],
        ["stats"],
        ["bans"],
    ],
)
def test_a_table_fits_80_columns_and_nothing_else_is_printed(
    day: Command, arguments: list[str]
) -> None:
    shown = day(*arguments)
    assert (shown.code, shown.err) == (0, "")
    assert shown.table
    assert max(map(len, shown.out.splitlines())) <= 80


def test_a_table_of_conversations(day: Command) -> None:
    assert day("list", "--status", "closed").table == [
        "csid   status  last event (UTC)     queue      assignee   requester  SLA",
        "70431  closed  2026-03-02 11:50:00  Logistics  Omar Lind  Per Sand   breached",
    ]


def test_a_table_of_transitions_of_all_conversations(day: Command) -> None:
    assert day("audit", "--to", "abandoned").table == [
        "at (UTC)             csid   from  to         event      by  remarks  event id",
        "2026-03-02 08:31:15  70432  open  abandoned  abandoned               23593162-d…",
    ]


def test_tables_of_evaluations_and_of_shares(day: Command) -> None:
    assert day("sla", "--status", "breached").table == [
        "csid   metric        status    deadline (UTC)           queue      agent",
        "70431  NextResponse  breached  2026-03-02 11:30:00.200  Logistics  Omar Lind",
    ]
    assert day("sla", "--attainment", "--by", "agent").table == [
        "           achieved  breached  pending  voided  attainment",
        "Ida Holm   1         0         0        0       100.0%",
        "Omar Lind  0         1         0        0       0.0%",
        "none       0         0         0        1",
    ]


def test_statistics(day: Command) -> None:
    shown = day("stats").table
    for line in (
        "status         abandoned 1, closed 1",
        "queue          Logistics 1, Support 1",
        "of these       reopens 1, irregular 0, inferred 0, late 0",
        "measure           p50      p90      average  of  by date",
        "first_response    0:06:30  0:06:30  0:06:30  1   created",
        "queue_wait        0:04:10  0:08:00  0:06:05  2   enqueued",
        "abandon_rate                        33.3%    3   enqueued",
    ):
        assert line in shown


def test_a_list_prints_the_objects_of_status(day: Command) -> None:
    rows = day("list", "--json").rows
    assert [row["csid"] for row in rows] == [70431, 70432]
    for row in rows:
        [status] = day("status", row["csid"], "--json").rows
        still_running = {"durations": None}
        assert row | still_running == status | still_running


def test_a_list_as_of_a_moment_prints_the_objects_of_status_as_of_it(day: Command) -> None:
    as_of = ["--as-of", "2026-03-02T08:30:30Z", "--json"]
    rows = day("list", *as_of).rows
    assert [(row["csid"], row["status"]) for row in rows] == [(70432, "open"), (70431, "pending")]
    assert rows == [day("status", csid, *as_of).rows[0] for csid in (70432, 70431)]


def test_an_audit_of_all_prints_the_objects_of_an_audit_of_each(day: Command) -> None:
    rows = day("audit", "--json").rows
    for csid in (70431, 70432):
        assert [row for row in rows if row["csid"] == csid] == day("audit", csid, "--json").rows
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert len(rows) == day("stats", "--json").rows[0]["transitions"]


def test_an_evaluation_as_json(day: Command) -> None:
    [row] = day("sla", "--status", "voided", "--json").rows
    apart = ("organization_id", "id", "queue_id")
    assert {name: row[name] for name in row if name not in apart} == {
        "csid": 70432,
        "policy": row["policy"],
        "metric": "FirstResponse",
        "status": "voided",
        "deadline": "2026-03-02T08:32:00.100Z",
        "since": "2026-03-02T08:31:15.020Z",
        "began_at": "2026-03-02T08:30:00.150Z",
        "breached_late_at": None,
        "channel": "PSTN_PHONE",
        "queue": "Support",
        "agent": None,
        "agent_id": None,
    }
    assert row["queue_id"]


def test_a_share_counts_what_the_list_with_its_value_prints(day: Command) -> None:
    for by in ("queue", "agent", "channel", "tag"):
        for share in day("sla", "--attainment", "--by", by, "--json").rows:
            for status in ("achieved", "breached", "pending", "voided"):
                listed = day(
                    "sla", f"--{by}", share["value"] or "none", "--status", status, "--json"
                )
                assert len(listed.rows) == share[status]


def test_statistics_as_json_are_one_document(day: Command) -> None:
    [stats] = day("stats", "--json").rows
    assert stats["measures"]["first_resolution"] == {
        "unit": "seconds",
        "cohort": "created",
        "count": 1,
        "average": 6000.0,
        "p50": 6000.0,
        "p90": 6000.0,
        "upper_bounds": 0,
    }


def test_statistics_of_a_period_by_queue_and_beside_the_day_before(
    day: Command, tmp_path: Path
) -> None:
    shown = day("stats", "--since", "2026-W10", "--by", "queue", "--agent", "omar lind").table
    assert "measure           queue      p50      p90      average  of" in shown
    assert "first_resolution  Support" not in shown
    shown = day("stats", "--since", "2026-03-02", "--until", "2026-03-03", "--compare", "-1d").table
    assert "period (UTC)   2026-03-02 00:00:00 to 2026-03-03 00:00:00" in shown
    compared = "measure           p50      p50 before  average  average before  of  of before"
    assert compared in shown
    of_week = ("stats", "--since", "2026-03-09", "--until", "2026-03-16", "--compare", "-7d")
    shown = day(*of_week, "--by", "queue").table
    [heading] = [line for line in shown if line.startswith("measure ")]
    assert heading.split()[:2] == ["measure", "queue"]
    assert heading.endswith("of before")
    assert shown[-1].split() == ["abandon_rate", "Support", "50.0%", "0", "2"]
    (tmp_path / "hours.toml").write_text('monday = "09:00-17:00"')
    shown = day("stats", "--business-hours", tmp_path / "hours.toml").table
    assert "hours          closed hours are subtracted from durations" in shown
    assert "first_resolution  0:40:00  0:40:00  0:40:00  1   created" in shown


def test_a_list_may_end_after_some(day: Command) -> None:
    assert [row["csid"] for row in day("list", "--limit", 1, "--json").rows] == [70431]
    assert len(day("list", "--limit", 9, "--json").rows) == 2


@pytest.mark.parametrize(
    ("filters", "csids"),
    [
        (["--status", "closed", "--status", "abandoned"], [70431, 70432]),
        (["--channel", "pstn_phone"], [70432]),
        (["--direction", "inbound"], [70431, 70432]),
        (["--queue", "Support"], [70432]),
        (["--assignee", "none"], [70432]),
        (["--assignee", "omar@aurora.example"], [70431]),
        (["--requester", "jon.berg@example.com"], [70432]),
        (["--tag", "none"], [70432]),
        (["--sla", "breached"], [70431]),
        (["--text", "jon"], [70432]),
        (["--created-since", "2026-03-02T08:30:00Z"], [70432]),
        (["--updated-until", "2026-03-02T09:00:00Z"], [70432]),
        (["--irregular"], []),
        (["--sort", "csid"], [70431, 70432]),
        (["--org", "nobody"], []),
        (["--assignee", "omar lind"], [70431]),
    ],
)
def test_filters_of_a_list(day: Command, filters: list[str], csids: list[int]) -> None:
    assert [row["csid"] for row in day("list", *filters, "--json").rows] == csids


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stats", "--daily", "--by", "queue"], "--daily: expected no option but --org and --json"),
        (["list", "--status", "asleep"], "'asleep' is not one of 'open', 'pending'"),
        (["list", "--sla", "late"], "'late' is not one of"),
        (["list", "--sort", "subject"], "'subject' is not one of"),
        (["list", "--limit", "0"], "0 is not in the range x>=1"),
        (["list", "--as-of", "2999-01-01"], "as_of: expected a time up to now"),
        (
            ["list", "--sort", "last_event_at", "--as-of", "2026-03-02"],
            "sort: expected created_at or csid for a list as of a moment, got 'last_event_at'",
        ),
        (
            ["list", "--created-since", "2026-03-03", "--created-until", "2026-03-02"],
            "created_since: expected a time before 2026-03-02T00:00:00.000Z",
        ),
        (
            ["audit", "--since", "2026-03-03", "--until", "2026-03-02"],
            "since: expected a time before 2026-03-02T00:00:00.000Z",
        ),
        (["audit", "--as-of", "2026-03-02"], "expected a CSID with them"),
        (["sla", "--by", "queue"], "--by: expected --attainment with it"),
        (["sla", "--attainment", "--by", "moon"], "'moon' is not one of"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_one_message(
    day: Command, arguments: list[str], message: str
) -> None:
    for printed in ([], ["--json"]):
        shown = day(*arguments, *printed)
        assert (shown.code, shown.out) == (2, "")
        assert shown.err.count(message) == 1


@pytest.mark.parametrize("command", ["status", "timeline", "audit"])
def test_an_unknown_conversation_is_exit_code_3_with_one_message(
    day: Command, command: str
) -> None:
    shown = day(command, 1)
    assert (shown.code, shown.out) == (3, "")
    assert shown.err == "dixa-state: conversation 1: no webhook about it is in the store\n"


@pytest.mark.parametrize("command", ["status", "timeline", "audit"])
def test_a_number_in_two_organizations_asks_for_one_with_exit_code_2(
    day: Command, data: Path, command: str
) -> None:
    ours = "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"
    Path("other.jsonl").write_text((data / "day.jsonl").read_text().replace(ours, "two"))
    assert day("ingest", "other.jsonl").code == 0
    shown = day(command, 70431)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err.count("expected one organization, got 2") == 1
    named = day(command, 70431, "--org", "two", "--json")
    assert {row["organization_id"] for row in named.rows} == {"two"}
    assert len(day("list", "--json").rows) == 4
    assert {row["organization_id"] for row in day("list", "--org", "two", "--json").rows} == {"two"}


def test_the_days_count_the_transitions_that_the_audit_lists(day: Command) -> None:
    assert day("stats", "--daily", "--json").rows == [
        {
            "day": "2026-03-02",
            "began": 2,
            "opened": 4,
            "pending": 1,
            "closed": 2,
            "abandoned": 1,
            "reopens": 1,
        }
    ]
    assert len(day("audit", "--to", "open", "--json").rows) == 4
    assert day("stats", "--daily").out.splitlines()[1].split() == [
        "2026-03-02",
        "2",
        "4",
        "1",
        "2",
        "1",
        "1",
    ]
    assert day("stats", "--daily", "--org", "nobody", "--json").rows == []
