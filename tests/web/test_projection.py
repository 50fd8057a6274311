"""The projector's process: what the service does where it cannot be started, or ends."""

from multiprocessing.context import SpawnProcess
from threading import Event as Signal
from threading import Thread
from typing import Any, NoReturn

import pytest

from dixa_state.web import projection


def open_nothing() -> NoReturn:
    raise AssertionError("opened in the process of the service")


def prepare_nothing() -> None:
    """Do nothing."""


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

    process = projection.projector_process(open_nothing, prepare_nothing)  # type: ignore[arg-type]
    run = projection.in_process(process)
    watching = Thread(target=run, args=(stop, report))
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
