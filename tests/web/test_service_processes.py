"""Processes of the service: forked at the start, begun later, ended with it."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

_PROGRAM = Path(__file__).with_name("forking.py")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")


def printed(name: str, code: int = 0, logged: str = "") -> list[str]:
    """Run one of the programs; give the lines that it prints."""
    command = [sys.executable, str(_PROGRAM), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert logged in done.stderr if logged else not done.stderr
    return done.stdout.splitlines()


def test_the_first_is_forked_before_it_begins_and_the_next_is_a_new_interpreter() -> None:
    assert printed("begin_and_begin_again") == ["['before the fork']", "0", "[]", "0"]


def test_one_ends_with_its_connection_while_the_other_goes_on() -> None:
    assert printed("end_one_of_two") == ["0 True", "0"]


def test_one_that_is_never_started_ends() -> None:
    assert printed("start_none") == ["ended"]


def test_nothing_is_forked_beside_a_thread() -> None:
    assert printed("beside_a_thread") == ["[]"]


def test_all_end_with_a_service_that_is_killed() -> None:
    [line] = printed("die", code=-9)
    assert len(line.split()) == 2
    for number in map(int, line.split()):
        try:
            psutil.Process(number).wait(20)
        except psutil.NoSuchProcess:
            continue


def test_what_a_forked_one_logs_last_is_written() -> None:
    assert printed("log_and_end", logged="said last") == ["0"]


def test_where_there_is_no_connection_the_start_says_so() -> None:
    assert printed("without_a_connection") == ["none of these here"]
