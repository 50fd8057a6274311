"""What an attacker could do once; and that all that docs/security.md names is there."""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asking_targets import Requests
from mutation import parsed

from dixa_state import InvalidInputError
from dixa_state.bootstrap import open_recorder
from dixa_state.cli.output import print_json
from dixa_state.questions import OneConversation
from dixa_state.web.logs import configure

ROOT = Path(__file__).parents[2]
PASSWORDS = [
    *("hunter2%zzsecret", "hunter2 secret", "hunter2@secret", "hunter2@127.0.0.1@secret"),
    *("hunter2/secret", "hunter2:secret", "hunter2#secret", "hunter2?secret"),
]


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize("password", PASSWORDS)
def test_no_message_about_a_store_shows_its_password(scheme: str, password: str) -> None:
    with pytest.raises(Exception, match=r"store") as refused:
        open_recorder(f"{scheme}://somebody:{password}@127.0.0.1:1/db", create=False)
    shown, cause = str(refused.value), refused.value.__cause__
    assert "secret" not in shown
    assert isinstance(refused.value, InvalidInputError) or "secret" not in str(cause)


@pytest.fixture
def logs() -> Iterator[None]:
    """Leave the configuration of the logs as it was."""
    root, ours = logging.getLogger(), logging.getLogger("dixa_state")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:], root.level, ours.level = handlers, *levels


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.usefixtures("logs")
def test_no_text_in_the_log_is_a_control_sequence_or_another_line(
    capfd: pytest.CaptureFixture[str], form: Any
) -> None:
    configure(form, "debug")
    hostile = {"event_id": "a\x1b[2Jb\x9bc", "client": "d\ne\r\u2028f", "why": "\u202eg"}
    logging.getLogger("dixa_state.web").info("request", extra=hostile)
    logging.getLogger().handlers[0].flush()
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


def test_json_on_a_terminal_holds_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = {"a": "\x9b2J\x7f\x85\x1b[2J"}
    print_json(hostile)
    shown = capsys.readouterr().out
    assert shown[:-1].isprintable()
    assert parsed(shown.encode()) == hostile


@pytest.fixture
def requests(sqlite_url: str, make_postgres_store: Callable[[], str]) -> Iterator[Requests]:
    with Requests(sqlite=sqlite_url, postgres=make_postgres_store()) as target:
        yield target


@pytest.mark.parametrize("moment", ["0001-01-01", "0001-01-01T00:00:00Z"])
def test_the_beginning_of_time_can_be_asked_for(requests: Requests, moment: str) -> None:
    requests.attempt(f"/v1/conversations?as_of={moment}&status=open".encode())


def test_a_failure_of_the_program_is_told_in_the_one_shape_and_shows_nothing(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret FROM password")

    monkeypatch.setattr(OneConversation, "answer", fail)
    status, body = requests.ask(b"/v1/conversations/70431", b"")
    assert status == 500
    assert parsed(body)["error"]["code"] == "internal"
    assert b"SELECT" not in body


def test_refusals_are_short_however_much_is_wrong(requests: Requests) -> None:
    query = "&".join(f"{'x' * 300}{number}=1" for number in range(150))
    status, body = requests.ask(b"/v1/stats", query.encode())
    assert status == 400
    assert len(body) < 5_000


def named_tests() -> list[str]:
    """Name the tests that the page names."""
    page = (ROOT / "docs" / "security.md").read_text()
    return re.findall(r"`(test_\w+)`", page)


def test_every_test_that_the_page_names_exists() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^(?:async )?def (test_\w+)", sources, re.MULTILINE))
    assert len(named_tests()) > 50
    assert [name for name in named_tests() if name not in there] == []


def limits() -> list[tuple[str, str, str]]:
    """Give the constants that the page names, each with its module and its value."""
    page = (ROOT / "docs" / "security.md").read_text()
    return re.findall(r"\| `([\w.]+)\.([A-Z_]+)` \| ([\d,.]+)", page)


def test_every_limit_that_the_page_names_is_the_one_in_the_code() -> None:
    assert len(limits()) > 15
    for module, name, told in limits():
        found = getattr(__import__(f"dixa_state.{module}", fromlist=[name]), name)
        assert found == float(told.replace(",", "")), f"{module}.{name}"


def test_times_at_the_ends_of_time_are_told(requests: Requests) -> None:
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    for end in ends:
        moment = end.isoformat().replace("+00:00", "Z")
        requests.attempt(f"/v1/conversations?created_since={moment}".encode())
        requests.attempt(f"/v1/sla?due_before={moment}".encode())
