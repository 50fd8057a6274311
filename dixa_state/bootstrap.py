"""Composition: which parts make a tracker, from a store's URL.

What belongs to PostgreSQL is imported where it is needed: a command on SQLite starts a sixth
faster without the driver. So are the questions: a program that only appends starts three times as
fast without them, and so do the processes of a replay.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from dixa_state.dixa.signature import Secrets
from dixa_state.domain.evidence import GRACE
from dixa_state.errors import InvalidInputError
from dixa_state.store.recorder import EventRecorder
from dixa_state.store.sqlite import SqliteRecorder, TemporaryRecorder
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Views
from dixa_state.views.sqlite import SqliteViews

if TYPE_CHECKING:
    from dixa_state.questions import Reader

TEMPORARY = "memory:"
"""The address of a store that goes when it is closed: each tracker has one of its own."""


def open_tracker(
    store: str,
    *,
    create: bool = True,
    grace: timedelta = GRACE,
    secrets: Secrets = Secrets(),  # noqa: B008 — frozen
) -> ConversationTracker:
    """Open a tracker on an event store; use it in a `with` statement, or close it.

    `store` is `sqlite:///file.db` (four slashes for an absolute path), `postgresql://…`, or
    `memory:` for a store that goes when it is closed. With `create`, a store is made where there is
    none, a file of SQLite by the first append, and the role on PostgreSQL must be one that may
    append. Stored signatures are judged by `secrets`, which
    `dixa_state.dixa.signature.parse_secrets` reads. Raises `InvalidInputError` for any other URL,
    `SchemaError` if there is no usable store, `PermissionDeniedError` if the role may not use it,
    `StoreUnavailableError` if it cannot be reached.
    """
    recorder = open_recorder(store, create=create)
    return ConversationTracker(recorder, grace=grace, secrets=secrets, open_reader=open_reader)


def open_recorder(store: str, *, create: bool = True) -> EventRecorder:
    """Open the event store at a URL."""
    if store == TEMPORARY and create:
        return TemporaryRecorder()
    if dialect(store) == "sqlite":
        return SqliteRecorder(_sqlite_path(store, create=create), create=create)
    from dixa_state.store.postgres import PostgresRecorder  # noqa: PLC0415

    _require_readable(store)
    return PostgresRecorder(store, create=create)


def require_lasting(store: str) -> None:
    """Refuse a temporary store, for what is to be kept longer than this process runs."""
    if store == TEMPORARY:
        raise _unknown(store)


def open_views(recorder: EventRecorder) -> Views:
    """Open the views that belong to an event store."""
    if isinstance(recorder, SqliteRecorder):
        return SqliteViews(recorder)
    from dixa_state.store.postgres import PostgresRecorder  # noqa: PLC0415
    from dixa_state.views.postgres import PostgresViews  # noqa: PLC0415

    return PostgresViews(cast("PostgresRecorder", recorder))


def open_reader(tracker: ConversationTracker) -> "Reader":
    """Open a reader of a tracker's views; raises `SchemaError` where there is no store."""
    from dixa_state.questions import Reader  # noqa: PLC0415

    tracker.event_recorder.last_position()  # views are made where they are missing, a store is not
    return Reader(tracker, open_views(tracker.event_recorder))


def open_place(store: str, *, grace: timedelta = GRACE) -> tuple[ConversationTracker, Views]:
    """Open the tracker and the views of a store that exists."""
    tracker = open_tracker(store, create=False, grace=grace)
    return tracker, open_views(tracker.event_recorder)


def dialect(store: str) -> str:
    """Return the SQL dialect of a store."""
    match store.partition(":")[0]:
        case "sqlite":
            return "sqlite"
        case "postgresql" | "postgres":
            return "postgres"
        case _:
            raise _unknown(store)


def _unknown(store: str) -> InvalidInputError:
    return InvalidInputError(
        "store: expected sqlite:///file.db or postgresql://user:password@host/db, "
        f"got {redacted(store)!r}"
    )


def redacted(store: str) -> str:
    """Return a store's URL without user and password."""
    return re.sub(r"//.*@", "//…@", store)


def _require_readable(store: str) -> None:
    """Raise for a URL that the driver cannot parse: its message would quote the password."""
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        host = str(conninfo_to_dict(store).get("host", ""))
    except ProgrammingError:
        host = "@"
    if "@" in host:
        raise InvalidInputError(
            "store: expected postgresql://user:password@host/db with special characters in it "
            "spelled by percent, such as %40 for @; got what cannot be read so"
        )


def _sqlite_path(store: str, *, create: bool) -> Path:
    parts = urlsplit(store)
    path = Path(unquote(parts.path.removeprefix("/")))
    if parts.netloc or parts.query or parts.fragment or not path.name:
        raise InvalidInputError(f"store: expected sqlite:///file.db, got {redacted(store)!r}")
    if create and not path.parent.is_dir():
        raise InvalidInputError(f"store: expected a folder {path.parent}, found none")
    return path
