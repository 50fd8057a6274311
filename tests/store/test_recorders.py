"""The library's own test cases for recorders, on ours."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.tests import persistence

from dixa_state.bootstrap import open_recorder
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
