"""The library's own test cases for recorders, on ours."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.tests import persistence

from dixa_state import open_tracker
from dixa_state.asgi import open_application
from dixa_state.bootstrap import open_recorder
from dixa_state.errors import InvalidInputError, UnknownNameError
from dixa_state.questions import Conversations
from dixa_state.settings import Settings
from dixa_state.store.recorder import EventRecorder


class Ours(persistence.RecorderTestCase):
    __test__ = False
    url: str

    def new_originator_id(self) -> str:
        return f"conversation/org/{uuid4()}"

    def create_recorder(self) -> EventRecorder:
        recorder = open_recorder(self.url)
        self.addCleanup(recorder.close)
        with recorder.writing():  # which makes the file of SQLite
            pass
        return recorder


class OnSqlite(TestCase):
    __test__ = False

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.url = f"sqlite:///{Path(folder.name) / 'store.db'}"


class OnPostgres(TestCase):
    __test__ = False

    @pytest.fixture(autouse=True)
    def _fresh(self, make_postgres_store: Callable[[], str]) -> None:
        self.url = make_postgres_store()


class TestSqliteRecorder(Ours, OnSqlite, persistence.ApplicationRecorderTestCase[EventRecorder]):
    __test__ = True


class TestSqliteNonInterleaving(Ours, OnSqlite, persistence.NonInterleavingNotificationIDsBaseCase):
    __test__ = True


class TestPostgresRecorder(
    Ours, OnPostgres, persistence.ApplicationRecorderTestCase[EventRecorder]
):
    __test__ = True


class TestPostgresNonInterleaving(
    Ours, OnPostgres, persistence.NonInterleavingNotificationIDsBaseCase
):
    __test__ = True


def test_a_temporary_store_answers_as_any_other_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day_lines: list[bytes]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_tracker("memory:") as tracker:
        for line in day_lines:
            tracker.append(line)
        [first, *_] = tracker.ask(Conversations(sort="csid")).items
        assert tracker.conversation(first.csid).version == first.version
        assert tracker.ask(Conversations(queue=("logistics",))).items  # as spelled elsewhere
        for ask in (tracker.ask, lambda question: list(tracker.every(question))):
            with pytest.raises(UnknownNameError, match="the nearest known: Logistics"):
                ask(Conversations(queue=("Logistic",)))
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_a_service_refuses_a_store_that_goes_with_it() -> None:
    settings = Settings(store="memory:", allow_unsigned=True)
    with pytest.raises(InvalidInputError, match="got 'memory:'"), open_application(settings):
        pass
