"""What a team would write: FastAPI and a pool of connections, one transaction per request."""

import hmac
import json
import socket
import sqlite3
from contextlib import closing
from queue import SimpleQueue
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import psycopg
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from servers import SECRET, announce
from starlette.concurrency import run_in_threadpool

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY, csid BIGINT, fqn TEXT NOT NULL, at TEXT NOT NULL,
    body {json} NOT NULL
);
CREATE INDEX IF NOT EXISTS events_csid ON events (csid, at)
"""
_INSERT = "INSERT INTO events VALUES ({0}, {0}, {0}, {0}, {0}) ON CONFLICT DO NOTHING"
_SELECT = "SELECT body FROM events WHERE csid = {0} ORDER BY at DESC LIMIT 1"


class _Sqlite:
    """One connection under a lock, as SQLite has one writer."""

    def __init__(self, store: str) -> None:
        path = urlsplit(store).path.removeprefix("/")
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        self._connection.executescript(_TABLES.format(json="TEXT"))
        self._lock = Lock()

    def insert(self, *values: Any) -> None:
        with self._lock:  # a transaction of its own, as nothing began one
            self._connection.execute(_INSERT.format("?"), values)

    def newest(self, csid: int) -> Any:
        with self._lock, closing(self._connection.execute(_SELECT.format("?"), (csid,))) as found:
            row = found.fetchone()
        return row and json.loads(row[0])


class _Postgres:
    """Eight connections, each taken by one request at a time."""

    def __init__(self, store: str) -> None:
        self._free: SimpleQueue[psycopg.Connection[Any]] = SimpleQueue()
        for _ in range(8):
            self._free.put(psycopg.connect(store, autocommit=True))
        with psycopg.connect(store) as connection:
            connection.execute(_TABLES.format(json="JSONB").encode())

    def insert(self, *values: Any) -> None:
        connection = self._free.get()
        with connection.transaction():
            connection.execute(_INSERT.format("%s").encode(), values)
        self._free.put(connection)

    def newest(self, csid: int) -> Any:
        connection = self._free.get()
        row = connection.execute(_SELECT.format("%s").encode(), (csid,)).fetchone()
        self._free.put(connection)
        return row and row[0]


def application(store: str) -> FastAPI:
    """Make the application."""
    database = _Sqlite(store) if store.startswith("sqlite") else _Postgres(store)
    made = FastAPI()

    @made.post("/webhooks/dixa")
    async def receive(request: Request) -> dict[str, str]:
        body = await request.body()
        at, _, given = request.headers["x-dixa-signature"].removeprefix("t=").partition(",v1=")
        expected = hmac.digest(bytes.fromhex(SECRET), at.encode() + b"." + body, "sha256").hex()
        if not hmac.compare_digest(given, expected):
            raise HTTPException(401)
        event = json.loads(body)
        csid = (event["data"].get("conversation") or {}).get("csid")
        values = (event["event_id"], csid, event["event_fqn"], event["event_timestamp"])
        await run_in_threadpool(database.insert, *values, body.decode())
        return {"outcome": "stored"}

    @made.get("/v1/conversations/{csid}")
    def conversation(csid: int) -> Any:
        if (found := database.newest(csid)) is None:
            raise HTTPException(404)
        return found

    return made


def serve(store: str) -> None:
    """Serve by uvicorn, as its manual says, without a log of requests."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        announce(listening.getsockname()[1])
        config = uvicorn.Config(application(store), access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listening])
