-- has_tables: whether there is anything in the database
SELECT count(*) FROM sqlite_master WHERE type = 'table';

-- schema_version: which schema the store has
SELECT version FROM dixa_state_schema;

-- known_events: which of these events are stored already
SELECT event_key, body_digest, notification_id FROM deduplication WHERE event_key IN ({keys});

-- heads: the last version of each of these streams
SELECT value, (SELECT max(originator_version) FROM stored_events WHERE originator_id = value)
FROM json_each(:streams);

-- last_position: the last position that was handed out
SELECT position FROM head;

-- advance_head: hand out positions up to this one
UPDATE head SET position = :position WHERE position < :position;

-- newest: the position of the newest event
SELECT max(notification_id) FROM stored_events;

-- state_at: the state of the event at a position
SELECT state FROM stored_events WHERE notification_id = :position;

-- insert_events: store an event at its position
INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)
VALUES (?, ?, ?, ?, ?);

-- insert_known_events: insert the entry that recognises duplicates
INSERT INTO deduplication (event_key, body_digest, notification_id)
VALUES (?, ?, ?);

-- quarantine: insert a body, once; one that was settled waits again
INSERT INTO quarantine (
    received_at, problem, reason, event_id, subscription_id, signature, body, body_digest
) VALUES (
    :received_at, :problem, :reason, :event_id, :subscription_id, :signature, :body, :digest
) ON CONFLICT (body_digest) DO UPDATE SET
    problem = excluded.problem, reason = excluded.reason, resolution = NULL, resolved_at = NULL;

-- quarantine_id: the id of a quarantined body
SELECT id FROM quarantine WHERE body_digest = :digest;

-- quarantined: the bodies in quarantine, on demand also those that were
SELECT
    id, received_at, problem, reason, event_id, subscription_id, signature, body,
    resolution, resolved_at
FROM quarantine
WHERE (:resolved OR resolution IS NULL)
  AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
ORDER BY id LIMIT :limit;

-- quarantine_ids: everything that ever was in quarantine
SELECT id FROM quarantine ORDER BY id;

-- quarantine_digest: the digest stored beside a quarantined body
SELECT body_digest FROM quarantine WHERE id = :id;

-- resolve: write how quarantined bodies were settled
UPDATE quarantine SET resolution = :resolution, resolved_at = :at
WHERE id IN (SELECT value FROM json_each(:ids));

-- stream: a stream in order of arrival
SELECT originator_id, originator_version, topic, state, notification_id
FROM stored_events WHERE originator_id = :stream ORDER BY originator_version;

-- next_stream: the first stream at or after a name
SELECT originator_id FROM stored_events
WHERE originator_id >= :name ORDER BY originator_id LIMIT 1;

-- events: part of a stream, oldest first
SELECT originator_id, originator_version, topic, state
FROM stored_events
WHERE originator_id = :stream AND originator_version > :gt AND originator_version <= :lte
ORDER BY originator_version ASC LIMIT :limit;

-- events_newest_first: part of a stream, newest first
SELECT originator_id, originator_version, topic, state
FROM stored_events
WHERE originator_id = :stream AND originator_version > :gt AND originator_version <= :lte
ORDER BY originator_version DESC LIMIT :limit;

-- notifications: events by position
SELECT originator_id, originator_version, topic, state, notification_id
FROM stored_events
WHERE notification_id BETWEEN :first AND :last
ORDER BY notification_id LIMIT :limit;

-- notifications_of_topics: events of some topics by position
SELECT originator_id, originator_version, topic, state, notification_id
FROM stored_events
WHERE notification_id BETWEEN :first AND :last
  AND topic IN (SELECT value FROM json_each(:topics))
ORDER BY notification_id LIMIT :limit;

-- triggers: those that refuse changes
SELECT name, sql FROM sqlite_master WHERE type = 'trigger';

-- maintenance: what was left that lets history be changed
SELECT reason FROM maintenance;

-- integrity: what is wrong with the pages of the file
PRAGMA integrity_check(20);

-- stream_at: the stream of the event at a position
SELECT originator_id FROM stored_events WHERE notification_id = :position;

-- range: all events of the streams in a range of names, up to a position
SELECT originator_id, originator_version, topic, state, notification_id
FROM stored_events
WHERE originator_id >= :low AND originator_id < :high AND notification_id <= :position
ORDER BY originator_id, originator_version;

-- count_events: how many events there are, and how many are recognised as duplicates when they come again
SELECT (SELECT count(*) FROM stored_events), (SELECT count(*) FROM deduplication);
