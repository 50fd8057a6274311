"""The projector's process: what the service does where it cannot be started, or ends."""

from functools import partial
from multiprocessing import Pipe
from multiprocessing.context import SpawnProcess
from threading import Event as Signal
from threading import Thread
from typing import Any, NoReturn

import pytest

from dixa_state.web import projection
from dixa_state.web.processes import ServiceProcess


def open_nothing() -> NoReturn:
    raise AssertionError("opened in the process of the service")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "_PAUSE", 0.01)


def failures_of(count: int) -> list[str | None]:
    """Watch a process until it has been reported so often; give what was reported."""
    reported: list[str | None] = []
    stop = Signal()

    def report(failure: str | None, *, outdated: bool = False) -> None:
        assert not outdated
        reported.append(failure)
        if len(reported) >= count:
            stop.set()

    work = partial(projection.project_until_end, open_nothing)  # type: ignore[arg-type]
    process = ServiceProcess("projector", work, Pipe)
    watching = Thread(target=projection.project_apart, args=(process, stop, report))
    watching.start()
    watching.join(30)
    assert not watching.is_alive()
    return reported


@pytest.mark.usefixtures("quick")
def test_a_process_that_cannot_be_started_is_reported_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise OSError("no more processes")

    monkeypatch.setattr(SpawnProcess, "start", refuse)
    expected = "its process cannot be started: no more processes"
    assert failures_of(2) == [expected, expected]


@pytest.mark.usefixtures("quick")
def test_a_process_that_ends_is_reported_and_started_again() -> None:
    assert failures_of(2) == ["its process has ended with 1"] * 2
