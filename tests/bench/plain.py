"""The plain way: the eventsourcing library as its manual shows it."""

import re
from urllib.parse import unquote, urlsplit

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from psycopg.conninfo import conninfo_to_dict


class Kept(Aggregate):
    """Something that keeps webhooks."""

    @event("Began")
    def __init__(self, body: str) -> None:
        self.bodies = 1
        self.last = body

    @event("Went on")
    def go_on(self, body: str) -> None:
        """Keep one more."""
        self.bodies += 1
        self.last = body


def application(store: str) -> Application:
    """Open the library's application on a database of its own."""
    return Application(env=_environment(store))


def _environment(store: str) -> dict[str, str]:
    if store.startswith("sqlite"):
        path = unquote(urlsplit(store).path.removeprefix("/"))
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": path}
    found = conninfo_to_dict(store)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(found["dbname"]),
        "POSTGRES_HOST": str(found["host"]),
        "POSTGRES_PORT": str(found.get("port") or "5432"),
        "POSTGRES_USER": str(found["user"]),
        "POSTGRES_PASSWORD": re.sub(r"^$", "-", str(found.get("password") or "")),
    }
