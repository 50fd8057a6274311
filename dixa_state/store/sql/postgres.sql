-- has_tables: whether there is a table of events, ours or another's
SELECT count(*) FROM information_schema.tables
WHERE table_schema = current_schema AND table_name = 'stored_events';

-- may_append: whether this role may append
SELECT has_table_privilege('stored_events', 'INSERT')
   AND has_column_privilege('head', 'position', 'UPDATE');

-- schema_version: which schema the store has
SELECT version FROM dixa_state_schema;

-- lock: let one writer at a time assign positions; readers do not wait for it
SELECT position FROM head FOR UPDATE;

-- durable: have this commit on disk when it returns, even where the server puts commits off
SELECT set_config('synchronous_commit', 'on', true)
WHERE current_setting('synchronous_commit') = 'off';

-- notify: wake those who follow the store, once this transaction commits
NOTIFY stored_events;

-- append_few: append those of a few events that are new, and return what is known of the others
SELECT known_key, known_digest, known_position FROM append_events(
    %(schema_version)b, %(lock_timeout)b, %(streams)b::text[], %(topics)b::text[],
    %(states)b::bytea[], %(keys)b::bytea[], %(digests)b::bytea[]
);

-- known_events: which of these events are stored already
SELECT event_key, body_digest, notification_id FROM deduplication WHERE event_key = ANY(%(keys)b);

-- look_up: which of these events are stored already, and the streams' last versions
SELECT NULL AS stream, event_key, body_digest, notification_id AS number
FROM deduplication WHERE event_key = ANY(%(keys)b)
UNION ALL
SELECT stream, NULL, NULL, version FROM unnest(%(streams)b::text[]) AS stream, LATERAL (
    SELECT max(originator_version) FROM stored_events WHERE originator_id = stream
) AS head (version) WHERE version IS NOT NULL;

-- last_position: the last position that was handed out
SELECT position FROM head;

-- newest: the position of the newest event
SELECT max(notification_id) FROM stored_events;

-- state_at: the state of the event at a position
SELECT state FROM stored_events WHERE notification_id = %(position)s;

-- advance_head: hand out positions up to this one
UPDATE head SET position = %(position)s WHERE position < %(position)s;

-- copy_events: store many events at their positions
COPY stored_events (notification_id, originator_id, originator_version, topic, state)
FROM STDIN (FORMAT BINARY);

-- copy_known_events: insert many entries that recognise duplicates
COPY deduplication (event_key, body_digest, notification_id) FROM STDIN (FORMAT BINARY);

-- quarantine: insert a body, once; one that was settled waits again
INSERT INTO quarantine (
    received_at, problem, reason, event_id, subscription_id, signature, body, body_digest
) VALUES (
    %(received_at)s, %(problem)s, %(reason)s, %(event_id)s,
    %(subscription_id)s, %(signature)s, %(body)s, %(digest)s
) ON CONFLICT (body_digest) DO UPDATE SET
    problem = excluded.problem, reason = excluded.reason, resolution = NULL, resolved_at = NULL;

-- quarantine_id: the id of a quarantined body
SELECT id FROM quarantine WHERE body_digest = %(digest)s;

-- quarantined: the bodies in quarantine, on demand also those that were
SELECT
    id, received_at, problem, reason, event_id, subscription_id, signature, body,
    resolution, resolved_at
FROM quarantine
WHERE (%(resolved)s::boolean OR resolution IS NULL)
  AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
ORDER BY id LIMIT %(limit)s;

-- quarantine_ids: everything that ever was in quarantine
SELECT id FROM quarantine ORDER BY id;

-- quarantine_digest: the digest stored beside a quarantined body
SELECT body_digest FROM quarantine WHERE id = %(id)s;

-- resolve: write how quarantined bodies were settled
UPDATE quarantine SET resolution = %(resolution)s, resolved_at = %(at)s
WHERE id = ANY(%(ids)s);

-- stream: a stream in order of arrival
SELECT originator_id, originator_version, topic, state, notification_id
FROM stored_events WHERE originator_id = %(stream)s ORDER BY originator_version;

-- next_stream: the first stream at or after a name
SELECT originator_id FROM stored_events
WHERE originator_id >= %(name)s ORDER BY originator_id LIMIT 1;

-- events: part of a stream, oldest first
SELECT originator_id, originator_version, topic, state
FROM stored_events
WHERE originator_id = %(stream)s AND originator_version > %(gt)s AND originator_version <= %(lte)s
ORDER BY originator_version ASC LIMIT %(limit)s;

-- events_newest_first: part of a stream, newest first
SELECT originator_id, originator_version, topic, state
FROM stored_events
WHERE originator_id = %(stream)s AND originator_version > %(gt)s AND originator_version <= %(lte)s
ORDER BY originator_version DESC LIMIT %(limit)s;

-- notifications: events by position
SELECT originator_id, originator_version, topic, state, notification_id
FROM stored_events
WHERE notification_id BETWEEN %(first)s AND %(last)s
ORDER BY notification_id LIMIT %(limit)s;

-- notifications_of_topics: events of some topics by position
SELECT originator_id, originator_version, topic, state, notification_id
FROM stored_events
WHERE notification_id BETWEEN %(first)s AND %(last)s
  AND topic = ANY(%(topics)s)
ORDER BY notification_id LIMIT %(limit)s;

-- triggers: those that refuse changes, whether they are on, and what they run
SELECT tgname, tgenabled::text, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE NOT tgisinternal AND tgrelid IN (to_regclass('stored_events'), to_regclass('deduplication'));

-- append_function: what appends events
SELECT (SELECT prosrc FROM pg_proc WHERE oid = to_regproc('append_events'));

-- maintenance: where a role or a database always lets history be changed
SELECT COALESCE(rolname, 'any role'), setting
FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS setting
WHERE setting LIKE 'dixa_state.maintenance=%%' AND setdatabase IN (
    0, (SELECT oid FROM pg_database WHERE datname = current_database())
);

-- server_encoding: how the database spells text
SHOW server_encoding;

-- stream_at: the stream of the event at a position
SELECT originator_id FROM stored_events WHERE notification_id = %(position)s;

-- range: all events of the streams in a range of names, up to a position
SELECT originator_id, originator_version, topic, state, notification_id
FROM stored_events
WHERE originator_id >= %(low)s AND originator_id < %(high)s AND notification_id <= %(position)s
ORDER BY originator_id, originator_version;

-- count_events: how many events there are, and how many are recognised as duplicates when they come again
SELECT (SELECT count(*) FROM stored_events), (SELECT count(*) FROM deduplication);
