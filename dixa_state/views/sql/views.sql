-- progress: where a generation is: its number, the version of its rows, the position it has reached
SELECT at.generation, at.view_version, at.position, COALESCE(
    (SELECT made.position FROM projection AS made WHERE made.name = at.name || '.grace'),
    CASE at.position WHEN 0 THEN -1 ELSE -2 END
) FROM projection AS at WHERE at.name = :name{for_update};

-- set_progress: enter a generation under a name: views (the live one), building, or retired
INSERT INTO projection (name, generation, view_version, position)
VALUES (:name, :generation, :view_version, :position)
ON CONFLICT (name) DO UPDATE SET
    generation = excluded.generation,
    view_version = excluded.view_version,
    position = excluded.position;

-- delete_progress: drop the name of a generation that is gone
DELETE FROM projection WHERE name = :name;

-- advance: move a position on
UPDATE projection SET position = :position WHERE name = :name AND position < :position;

-- poison: record an event that could not be folded
INSERT INTO {v}poison (position, stream, topic, error)
VALUES (:position, :stream, :topic, :error) ON CONFLICT (position) DO NOTHING;

-- complete_states: the conversations of a number, if the views have every stored event about it
SELECT kept.stream, kept.state
FROM projection AS views, head, conversations AS kept
WHERE views.name = 'views'
  AND views.view_version = :view_version
  AND :grace = (SELECT position FROM projection WHERE name = 'views.grace')
  AND views.position >= head.position - 1000
  AND kept.csid = :csid
  AND NOT EXISTS (
    SELECT 1 FROM (
        SELECT originator_id FROM stored_events
        WHERE notification_id > views.position ORDER BY notification_id LIMIT 1000
    ) AS newer WHERE originator_id LIKE 'conversation/%/' || :csid
) AND NOT EXISTS (SELECT 1 FROM poison WHERE stream LIKE 'conversation/%/' || :csid);

-- poison_count: how many events could not be folded
SELECT count(*) FROM poison;

-- take_lease: take a role, if nobody has it, the one who had it has gone, or the clock was set back
INSERT INTO lease (role, holder, until) VALUES (:role, :holder, :until)
ON CONFLICT (role) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE lease.holder = excluded.holder
   OR lease.until < :now
   OR lease.until > :until + (:until - :now);

-- drop_lease: give a role back
DELETE FROM lease WHERE role = :role AND holder = :holder;
