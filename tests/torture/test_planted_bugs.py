"""A harness that finds nothing proves nothing: bugs that are planted, each of them found.

The first is looked for in every run of the tests, the others on demand.
"""

from pathlib import Path

import concurrency
import faults
import kill
import pytest
from concurrency import SMALL
from planted import command
from reports import Report


def finds(report: Report, words: str) -> bool:
    return any(words in finding for finding in report.findings)


def test_an_answer_before_the_commit_is_found(sqlite_url: str, tmp_path: Path) -> None:
    bug = command("acknowledge-before-commit")
    report = kill.torture(sqlite_url, tmp_path, rounds=4, seed=1, command=bug)
    assert finds(report, "but there is")


@pytest.mark.long
def test_a_position_that_is_written_before_its_rows_is_found(
    postgres_url: str, tmp_path: Path
) -> None:
    bug = command("position-before-the-rows")
    report = kill.torture(postgres_url, tmp_path, rounds=6, seed=1, command=bug)
    assert finds(report, "the views at")


@pytest.mark.long
def test_looking_for_duplicates_before_the_lock_is_found(sqlite_url: str, tmp_path: Path) -> None:
    bug = command("check-then-insert")
    report = concurrency.torture(sqlite_url, tmp_path, bodies=200, seed=1, size=SMALL, command=bug)
    assert finds(report, "is stored twice")


@pytest.mark.long
def test_positions_that_are_handed_out_before_the_lock_are_found(
    postgres_url: str, tmp_path: Path
) -> None:
    bug = command("positions-before-the-lock")
    report = concurrency.torture(
        postgres_url, tmp_path, bodies=200, seed=1, size=SMALL, command=bug
    )
    assert finds(report, "a reader at")


@pytest.mark.long
def test_commits_that_the_database_puts_off_are_found() -> None:
    bug = command("commits-that-are-put-off")
    report = faults.torture("postgres", seed=1, only=("killed",), command=bug)
    assert finds(report, "but there is")


@pytest.mark.long
def test_a_projector_that_ends_when_the_store_is_away_is_found() -> None:
    bug = command("no-second-try")
    report = faults.torture("postgres", seed=1, only=("is cut",), command=bug)
    assert finds(report, "views that follow")
