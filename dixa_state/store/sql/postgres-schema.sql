-- The store on PostgreSQL. An event, once stored, stays as it is; positions rise by one without a hole.

CREATE TABLE IF NOT EXISTS stored_events (
    notification_id BIGINT PRIMARY KEY,               -- position in the store, from 1
    originator_id TEXT COLLATE "C" NOT NULL,          -- stream, e.g. conversation/{organization}/{csid}
    originator_version BIGINT NOT NULL,               -- order of arrival in the stream, from 1
    topic TEXT NOT NULL,                              -- e.g. conversation.closed
    state BYTEA NOT NULL,                             -- JSON: received_at, subscription_id, signature, body
    UNIQUE (originator_id, originator_version)
);

-- The last position that was handed out; none is used again, even if its event has been erased.
CREATE TABLE IF NOT EXISTS head (
    position BIGINT NOT NULL
);
INSERT INTO head (position) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM head);

-- What recognises a duplicate for ever, written in the transaction of its event.
CREATE TABLE IF NOT EXISTS deduplication (
    event_key BYTEA PRIMARY KEY,                      -- digest of the organization's and the event's id
    body_digest BYTEA NOT NULL,
    notification_id BIGINT NOT NULL
);

-- What could not become an event.
CREATE TABLE IF NOT EXISTS quarantine (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at TEXT NOT NULL,
    problem TEXT NOT NULL,
    reason TEXT NOT NULL,
    event_id TEXT,
    subscription_id TEXT,
    signature TEXT,
    body BYTEA NOT NULL,
    body_digest BYTEA NOT NULL UNIQUE,
    resolution TEXT,
    resolved_at TEXT
);

-- Where the views are: the generation that readers see, one that is being built, one to be dropped.
CREATE TABLE IF NOT EXISTS projection (
    name TEXT PRIMARY KEY,
    generation BIGINT NOT NULL,
    view_version BIGINT NOT NULL,
    position BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS dixa_state_schema (
    version INTEGER NOT NULL
);
INSERT INTO dixa_state_schema (version)
SELECT 2 WHERE NOT EXISTS (SELECT 1 FROM dixa_state_schema);

-- SET LOCAL dixa_state.maintenance = 'on' lets one transaction change history.
CREATE OR REPLACE FUNCTION stored_events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('dixa_state.maintenance', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% are immutable: % refused', replace(TG_ARGV[0], '_', ' '), TG_OP
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END;
$$;

CREATE OR REPLACE TRIGGER stored_events_refuse_change
BEFORE UPDATE OR DELETE ON stored_events
FOR EACH ROW EXECUTE FUNCTION stored_events_refuse_change('stored_events');

CREATE OR REPLACE TRIGGER stored_events_refuse_truncate
BEFORE TRUNCATE ON stored_events
FOR EACH STATEMENT EXECUTE FUNCTION stored_events_refuse_change('stored_events');

CREATE OR REPLACE TRIGGER deduplication_refuse_change
BEFORE UPDATE OR DELETE ON deduplication
FOR EACH ROW EXECUTE FUNCTION stored_events_refuse_change('known_events');

-- Where analysts read; IF NOT EXISTS would ask for the right to make it even if it is there.
DO $$
BEGIN
    IF to_regnamespace('reporting') IS NULL THEN
        CREATE SCHEMA reporting;
    END IF;
END;
$$;
