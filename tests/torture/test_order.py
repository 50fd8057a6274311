"""The short version of `scripts/torture order`: a few dozen cases on every backend."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cases import case, moved
from click.testing import CliRunner
from grounds import Grounds
from order import command, run_case, torture
from worlds import CASES_PER_WORLD


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.long)])
def test_whatever_the_order_of_arrival_the_state_is_the_true_one_and_so_are_the_views(
    sqlite_url: str, make_postgres_store: Callable[[], str], count: int
) -> None:
    cases = [case(7, number) for number in range(count)]
    if count < 200:  # a crowd of processes is tried below
        cases = [one for one in cases if not one.crowded]
    report = torture(
        {"seed": 7}, cases, len(cases), sqlite=sqlite_url, postgres=make_postgres_store()
    )
    assert report.findings == []
    assert {row["where"] for row in report.rows} >= {"temporary", "sqlite", "postgres"}


def test_several_processes_may_deliver_at_once(
    sqlite_url: str, make_postgres_store: Callable[[], str]
) -> None:
    with Grounds(sqlite=sqlite_url, postgres=make_postgres_store()) as grounds:
        for one in (case(8, number) for number in range(1)):
            assert run_case(grounds, moved(one, "sqlite", crowded=True)) > 0
            assert run_case(grounds, moved(one, "postgres", crowded=True)) > 0


def test_worlds_differ_and_a_case_is_the_same_every_time() -> None:
    numbers = [0, 1, CASES_PER_WORLD, CASES_PER_WORLD * 2]
    cases = [case(9, number) for number in numbers]
    assert cases == [case(9, number) for number in numbers]
    assert len({one.stories[0].bodies for one in cases}) == 4


def test_the_command_tries_one_case_and_reports(tmp_path: Path) -> None:
    number = next(n for n in range(99) if case(1, n).backend == "temporary")
    done = CliRunner().invoke(command, ["--only", str(number), "--report", f"{tmp_path}/order"])
    assert done.exit_code == 0
    assert "| cases done | 1 |" in (tmp_path / "order.md").read_text()
    assert '"findings": []' in (tmp_path / "order.json").read_text()
