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
SELECT 3 WHERE NOT EXISTS (SELECT 1 FROM dixa_state_schema);

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

-- Append those of these events that are new, in one round trip. Return the entries of those that are
-- stored already, and the position before the new ones; nothing where the schema or the isolation is
-- another. The row of `head` is the lock of all who append.
CREATE OR REPLACE FUNCTION append_events(
    schema_version BIGINT,
    lock_timeout TEXT,
    streams TEXT[],
    topics TEXT[],
    states BYTEA[],
    keys BYTEA[],
    digests BYTEA[]
) RETURNS TABLE (known_key BYTEA, known_digest BYTEA, known_position BIGINT) LANGUAGE plpgsql AS $$
DECLARE
    last BIGINT;
    known BIGINT;
BEGIN
    -- Under another level, what was committed during the wait for the lock would not be seen.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN;
    END IF;
    PERFORM set_config('lock_timeout', lock_timeout, true);
    -- On disk when it returns, even where the server puts commits off.
    PERFORM set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
    SELECT position INTO last FROM head FOR UPDATE;
    IF schema_version IS DISTINCT FROM (SELECT version FROM dixa_state_schema) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT event_key, body_digest, notification_id FROM deduplication WHERE event_key = ANY (keys);
    GET DIAGNOSTICS known = ROW_COUNT;
    IF known < cardinality(keys) THEN
        UPDATE head SET position = last + cardinality(keys) - known;
        WITH new AS (
            SELECT given.*, last + row_number() OVER (ORDER BY number) AS position
            FROM unnest(streams, topics, states, keys, digests)
                WITH ORDINALITY AS given (stream, topic, state, key, digest, number)
            WHERE NOT EXISTS (SELECT FROM deduplication WHERE event_key = given.key)
        ), stored AS (
            INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)
            SELECT
                position,
                stream,
                row_number() OVER (PARTITION BY stream ORDER BY position) + COALESCE((
                    SELECT max(originator_version) FROM stored_events WHERE originator_id = stream
                ), 0),
                topic,
                state
            FROM new
        )
        INSERT INTO deduplication (event_key, body_digest, notification_id)
        SELECT key, digest, position FROM new;
        NOTIFY stored_events;
    END IF;
    RETURN QUERY SELECT NULL::BYTEA, NULL::BYTEA, last;
END;
$$;

-- Where analysts read; IF NOT EXISTS would ask for the right to make it even if it is there.
DO $$
BEGIN
    IF to_regnamespace('reporting') IS NULL THEN
        CREATE SCHEMA reporting;
    END IF;
END;
$$;
