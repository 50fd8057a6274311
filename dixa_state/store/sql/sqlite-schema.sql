-- The store on SQLite. An event, once stored, stays as it is; positions rise by one without a hole.

CREATE TABLE IF NOT EXISTS stored_events (
    notification_id INTEGER PRIMARY KEY,      -- position in the store, from 1
    originator_id TEXT NOT NULL,              -- stream, e.g. conversation/{organization}/{csid}
    originator_version INTEGER NOT NULL,      -- order of arrival in the stream, from 1
    topic TEXT NOT NULL,                      -- e.g. conversation.closed
    state BLOB NOT NULL,                      -- JSON: received_at, subscription_id, signature, body
    UNIQUE (originator_id, originator_version)
);

-- The last position that was handed out; none is used again, even if its event has been erased.
CREATE TABLE IF NOT EXISTS head (
    position BIGINT NOT NULL
);
INSERT INTO head (position) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM head);

-- What recognises a duplicate for ever, written in the transaction of its event.
CREATE TABLE IF NOT EXISTS deduplication (
    event_key BLOB PRIMARY KEY,               -- digest of the organization's and the event's id
    body_digest BLOB NOT NULL,
    notification_id INTEGER NOT NULL
) WITHOUT ROWID;

-- What could not become an event.
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at TEXT NOT NULL,
    problem TEXT NOT NULL,
    reason TEXT NOT NULL,
    event_id TEXT,
    subscription_id TEXT,
    signature TEXT,
    body BLOB NOT NULL,
    body_digest BLOB NOT NULL UNIQUE,
    resolution TEXT,
    resolved_at TEXT
);

-- A row here, inserted and deleted again inside one transaction, lets that transaction change history.
CREATE TABLE IF NOT EXISTS maintenance (
    reason TEXT NOT NULL
);

-- Where the views are: the generation that readers see, one that is being built, one to be dropped.
CREATE TABLE IF NOT EXISTS projection (
    name TEXT PRIMARY KEY,
    generation BIGINT NOT NULL,
    view_version BIGINT NOT NULL,
    position BIGINT NOT NULL
);

-- Who projects, and who replays, until when; times are microseconds since 1970.
CREATE TABLE IF NOT EXISTS lease (
    role TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS dixa_state_schema (
    version INTEGER NOT NULL
);
INSERT INTO dixa_state_schema (version)
SELECT 3 WHERE NOT EXISTS (SELECT 1 FROM dixa_state_schema);

CREATE TRIGGER IF NOT EXISTS stored_events_refuse_update
BEFORE UPDATE ON stored_events WHEN NOT EXISTS (SELECT 1 FROM maintenance)
BEGIN SELECT RAISE(ABORT, 'stored events are immutable: UPDATE refused'); END;

CREATE TRIGGER IF NOT EXISTS stored_events_refuse_delete
BEFORE DELETE ON stored_events WHEN NOT EXISTS (SELECT 1 FROM maintenance)
BEGIN SELECT RAISE(ABORT, 'stored events are immutable: DELETE refused'); END;

-- INSERT OR REPLACE would delete without asking the trigger above.
CREATE TRIGGER IF NOT EXISTS stored_events_refuse_replace
BEFORE INSERT ON stored_events WHEN EXISTS (
    SELECT 1 FROM stored_events
    WHERE notification_id = NEW.notification_id
       OR (originator_id = NEW.originator_id AND originator_version = NEW.originator_version)
)
BEGIN SELECT RAISE(ABORT, 'stored events are immutable: this position or version is taken'); END;

CREATE TRIGGER IF NOT EXISTS deduplication_refuse_update
BEFORE UPDATE ON deduplication WHEN NOT EXISTS (SELECT 1 FROM maintenance)
BEGIN SELECT RAISE(ABORT, 'known events are immutable: UPDATE refused'); END;

CREATE TRIGGER IF NOT EXISTS deduplication_refuse_delete
BEFORE DELETE ON deduplication WHEN NOT EXISTS (SELECT 1 FROM maintenance)
BEGIN SELECT RAISE(ABORT, 'known events are immutable: DELETE refused'); END;
