-- Made after the rows of a replay, before those of a live projection.

CREATE INDEX {v}conversations_csid ON {v}conversations (csid);
CREATE INDEX {v}conversations_last_event ON {v}conversations (last_event_at, stream);
CREATE INDEX {v}conversations_created ON {v}conversations (created_at, stream);
CREATE INDEX {v}conversations_status ON {v}conversations (status, last_event_at, stream);
CREATE INDEX {v}conversations_sla ON {v}conversations (sla_status, last_event_at, stream);
CREATE INDEX {v}conversations_queue ON {v}conversations (queue_id, last_event_at, stream);
CREATE INDEX {v}conversations_queue_name ON {v}conversations (queue_name, last_event_at, stream);
CREATE INDEX {v}conversations_assignee ON {v}conversations (assignee_id, last_event_at, stream);
CREATE INDEX {v}conversations_requester ON {v}conversations (requester_id, last_event_at, stream);
CREATE INDEX {v}conversations_email ON {v}conversations (requester_email, last_event_at, stream);
CREATE INDEX {v}conversations_position ON {v}conversations (position);
CREATE INDEX {v}conversations_direction ON {v}conversations (direction, last_event_at, stream);
CREATE INDEX {v}conversations_irregular ON {v}conversations (last_event_at, stream) WHERE irregular > 0;
CREATE INDEX {v}conversations_assignee_email ON {v}conversations (assignee_email, last_event_at, stream);
CREATE INDEX {v}conversations_channel ON {v}conversations (channel, last_event_at, stream);
CREATE INDEX {v}transitions_since ON {v}transitions (since, stream, sequence);
CREATE INDEX {v}transitions_after ON {v}transitions (after, since, stream, sequence);
CREATE INDEX {v}transitions_csid ON {v}transitions (csid, since);
CREATE INDEX {v}assignments_agent ON {v}assignments (agent_id, since);
CREATE INDEX {v}queue_intervals_queue ON {v}queue_intervals (queue_id, since);
CREATE INDEX {v}queue_intervals_name ON {v}queue_intervals (queue_name, since);
CREATE INDEX {v}queue_visits_queue ON {v}queue_visits (queue_id, enqueued_at);
CREATE INDEX {v}tags_tag ON {v}tags (tag, since);
CREATE INDEX {v}sla_evaluations_status ON {v}sla_evaluations (status, deadline, stream, number);
CREATE INDEX {v}sla_evaluations_began ON {v}sla_evaluations (began_at, stream, number);
CREATE INDEX {v}ratings_rated ON {v}ratings (rated_at);
CREATE INDEX {v}words_stream ON {v}words (stream);
