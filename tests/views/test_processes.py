"""Projectors as processes: killed at any moment, or two at once, they miss and repeat nothing."""

import random
import subprocess
import sys
from pathlib import Path
from subprocess import Popen
from threading import Timer
from time import monotonic

from projections import Place, days, deliver, findings, opened, replay, rows, until, worker

from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector


def position(place: Place) -> int:
    return place[1].progress().position


def test_a_projector_killed_at_random_moments_misses_and_repeats_nothing(
    store_url: str, data: Path
) -> None:
    moments = random.Random(7)
    day = str(data / "day.jsonl")
    with opened(store_url) as place:
        with worker("append", store_url, day, "0", "4") as appending:
            for _ in range(2):
                begun = position(place)
                with worker("project", store_url) as process:
                    wanted = min(begun + moments.randint(1, 60), 180)
                    until(lambda wanted=wanted: position(place) >= wanted)
                    process.kill()
            assert appending.wait(20) == 0
        with worker("project", store_url):
            until(lambda: position(place) == 180)
        assert findings(store_url, place) == []
        live = rows(place[1])
        replay(store_url, place)
        assert rows(place[1]) == live


def test_the_second_of_two_projectors_waits_and_takes_over_when_the_first_is_killed(
    store_url: str, day_lines: list[bytes]
) -> None:
    first_day, second_day = days(day_lines, 2)
    with opened(store_url) as place, worker("project", store_url) as first:
        assert first.stdout
        assert first.stdout.readline() == "ready\n"
        deliver(place[0], first_day)
        assert told(first, until=45)  # hence it leads
        with worker("project", store_url) as second:
            assert second.stdout
            assert second.stdout.readline() == "ready\n"
            deliver(place[0], second_day[:20])
            assert told(first, until=65)
            first.kill()
            deliver(place[0], second_day[20:])
            began = monotonic()
            assert min(told(second, until=90)) > 65
            assert monotonic() - began < 10
        assert findings(store_url, place) == []


def told(process: "Popen[str]", until: int) -> list[int]:
    """Read the positions that a projector tells, up to this one."""
    assert process.stdout
    positions = []
    for line in process.stdout:
        positions.append(int(line))
        if positions[-1] >= until:
            break
    assert positions[-1] == until
    return positions


def test_a_projector_goes_on_while_and_after_the_views_are_replayed(
    store_url: str, day_lines: list[bytes]
) -> None:
    with opened(store_url) as place, worker("project", store_url) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        for number, bodies in enumerate(days(day_lines, 3), start=1):
            deliver(place[0], bodies)
            replay(store_url, place)
            until(lambda end=number * 45: position(place) == end)
        assert process.poll() is None
        process.kill()
        assert findings(store_url, place) == []


def test_whoever_waits_for_changes_hears_of_those_of_other_processes(
    store_url: str, day_lines: list[bytes]
) -> None:
    with opened(store_url) as (_, views), opened(store_url) as (tracker, _):
        while not_waited(views, 0.1):  # the first look finds the store itself new
            pass
        timer = Timer(0.2, deliver, (tracker, day_lines[:1]))
        timer.start()
        assert not_waited(views, 10)
        timer.join()
        deliver(tracker, day_lines[1:2])  # between two looks
        assert not_waited(views, 10)


def not_waited(views: Views, seconds: float) -> bool:
    begun = monotonic()
    views.changed(seconds)
    return monotonic() - begun < seconds


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(
    sqlite_url: str, day_lines: list[bytes]
) -> None:
    with opened(sqlite_url) as place, opened(sqlite_url) as other:
        deliver(place[0], day_lines)
        with place[1].leading("projector") as lead:
            assert lead is not None
            assert not Projector(*other).catch_up()
            hour = 3_600_000_000
            with other[1].transaction(write=True) as connection:
                connection.run("UPDATE lease SET until = until + :hour", hour=hour)
            assert Projector(*other).catch_up()
        assert position(other) == 45


def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os\n"
        "from dixa_state.views.ranges import Range, on_all_cores\n"
        "os.cpu_count = lambda: 2\n"
        "print(list(on_all_cores(print, [Range('', '', 0)] * 2, dict)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "StoreError: " in line]
    assert 'below `if __name__ == "__main__":`' in told[-1]
