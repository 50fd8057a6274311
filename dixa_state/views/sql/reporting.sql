-- The views for analysts: names that stay, times as times, a comment on every column.
-- {v} is the prefix of the live generation's tables, {time …} a time, {json … a.b} a member of a JSON
-- text. Each column has a line of its own, and its comment at the end of that line.

-- conversations: one row for each conversation, as it is now
SELECT
    c.organization_id,                                  -- the organization's id at Dixa
    c.csid,                                             -- the number of the conversation
    c.status,                                           -- open, pending, closed or abandoned
    {time c.status_since} AS status_since,              -- since when it has this status
    c.channel,                                          -- such as EMAIL or WIDGET_CHAT
    c.direction,                                        -- INBOUND or OUTBOUND
    {json c.state subject} AS subject,                  -- the subject
    {json c.state contact_point} AS contact_point,      -- the address or number that was contacted
    c.queue_id,                                         -- the id of the queue that it is in or was taken from
    c.queue_name,                                       -- the name of that queue
    c.assignee_id,                                      -- the id of the agent who has it now
    c.assignee_name,                                    -- the name of that agent
    c.assignee_email,                                   -- the email address of that agent
    {time c.assigned_at} AS assigned_at,                -- since when that agent has had it
    c.requester_id,                                     -- the id of the end user
    {json c.state requester.name} AS requester_name,    -- the name of the end user
    c.requester_email,                                  -- the email address of the end user
    c.sla_status,                                       -- the worst status of its SLA evaluations; none without any
    {time c.created_at} AS created_at,                  -- when it was created
    {time c.closed_at} AS ended_at,                     -- when it was last closed or abandoned, though it may be open again
    {time c.last_message_at} AS last_message_at,        -- last message of anybody
    {time c.last_event_at} AS last_event_at,            -- its newest event, in event time
    {json c.state newest.2} AS last_event_id,           -- the id of that webhook
    c.first_response AS first_response_seconds,         -- first customer message to the first answer of a human agent; null where only an upper bound is known
    c.first_resolution AS first_resolution_seconds,     -- creation to the first close; null where only an upper bound is known
    c.full_resolution AS full_resolution_seconds,       -- creation to the last close; null where only an upper bound is known
    c.irregular AS irregular_transitions,               -- transitions that the lifecycle does not foresee
    c.inferred AS inferred_transitions,                 -- transitions known from a snapshot: a webhook was missed
    c.missed AS missed_webhooks,                        -- what proves that a webhook was lost
    c.version AS events,                                -- events in its stream
    c.position                                          -- the store position of the newest to arrive
FROM {v}conversations AS c;

-- transitions: one row for each change of status, with its evidence
SELECT
    t.organization_id,                                  -- the organization's id at Dixa
    t.csid,                                             -- the number of the conversation
    t.sequence,                                         -- the transitions of a conversation, counted from 1 in event-time order
    t.before AS from_status,                            -- the status before; null for the first
    t.after AS to_status,                               -- the status after
    {time t.since} AS happened_at,                      -- when it happened
    {time t.until} AS until,                            -- when the next transition ended this status; null while it lasts
    {json t.move topic} AS event,                       -- the event, for example conversation.closed
    {json t.move event_id} AS event_id,                 -- the webhook's id
    {moment t.move received_at} AS received_at,         -- when that webhook was received
    {json t.move actor.id} AS actor_id,                 -- the id of whoever did it, where Dixa says so
    {json t.move actor.name} AS actor_name,             -- the name of whoever did it, where Dixa says so
    (
        SELECT a.agent_name FROM {v}assignments AS a
        WHERE a.stream = t.stream AND a.since <= t.since AND (a.until IS NULL OR a.until > t.since)
        ORDER BY a.number DESC LIMIT 1
    ) AS holder_name,                                   -- the name of the agent who had the conversation then
    t.irregular,                                        -- why the lifecycle does not foresee it; null where it does
    t.inferred,                                         -- known from a snapshot: a webhook was missed
    t.late                                              -- its webhook was received after later ones
FROM {v}transitions AS t;

-- assignments: one row for each interval in which an agent had a conversation
SELECT
    c.organization_id,                                  -- the organization's id at Dixa
    c.csid,                                             -- the number of the conversation
    a.number,                                           -- the assignments of a conversation, counted from 1
    a.agent_id,                                         -- the agent's id
    a.agent_name,                                       -- the agent's name
    a.agent_email,                                      -- the agent's email address
    {time a.since} AS since,                            -- when it began
    {time a.until} AS until,                            -- when it ended; null while it lasts
    a.how,                                              -- assigned, transferred or inferred
    a.until_inferred                                    -- its end is only known from a snapshot
FROM {v}assignments AS a JOIN {v}conversations AS c ON c.stream = a.stream;

-- queue_visits: one row for each wait in a queue
SELECT
    c.organization_id,                                  -- the organization's id at Dixa
    c.csid,                                             -- the number of the conversation
    q.number,                                           -- the visits of a conversation, counted from 1
    q.queue_id,                                         -- the queue's id
    q.queue_name,                                       -- the queue's name
    {time q.enqueued_at} AS enqueued_at,                -- when it entered the queue
    {time q.left_at} AS left_at,                        -- when it left the queue; null while it waits
    q.outcome,                                          -- how the wait ended: assigned, transferred, abandoned, closed or unknown
    q.inferred,                                         -- a time of it is only known from a snapshot
    q.wait AS wait_seconds                              -- the wait; null while it lasts, and where a time of it was inferred
FROM {v}queue_visits AS q JOIN {v}conversations AS c ON c.stream = q.stream;

-- tags: one row for each interval in which a conversation had a tag
SELECT
    c.organization_id,                                  -- the organization's id at Dixa
    c.csid,                                             -- the number of the conversation
    g.tag,                                              -- the name of the tag
    g.tag_id,                                           -- the tag's id, where a snapshot ever showed it
    {time g.since} AS since,                            -- when it was added
    {time g.until} AS until                             -- when it was removed; null while it is there
FROM {v}tags AS g JOIN {v}conversations AS c ON c.stream = g.stream;

-- custom_attributes: one row for each value of a custom attribute
SELECT
    c.organization_id,                                  -- the organization's id at Dixa
    c.csid,                                             -- the number of the conversation
    b.identifier,                                       -- the attribute's identifier
    b.value                                             -- the value as text; an attribute with a list of values has a row for each
FROM {v}custom_attributes AS b JOIN {v}conversations AS c ON c.stream = b.stream;

-- sla_evaluations: one row for each SLA evaluation
SELECT
    s.organization_id,                                  -- the organization's id at Dixa
    s.csid,                                             -- the number of the conversation
    s.number,                                           -- the evaluations of a conversation, counted from 1
    s.evaluation_id,                                    -- Dixa's id of the evaluation, where it sends one
    s.policy,                                           -- the SLA policy
    s.metric,                                           -- what is measured, for example FirstResponse
    s.status,                                           -- pending, breached, achieved or voided
    {time s.deadline} AS deadline,                      -- when it is breached
    {time s.began_at} AS began_at,                      -- when it began
    {time s.since} AS since,                            -- since when it has this status
    {time s.breached_late_at} AS breached_late_at,      -- when another outcome followed its breach
    s.channel,                                          -- the channel that it is counted for
    s.queue_id,                                         -- the id of the queue that it is counted for
    s.queue_name,                                       -- the name of that queue
    s.assignee_id AS agent_id,                          -- the id of the agent that it is counted for
    s.assignee_name AS agent_name                       -- the name of that agent
FROM {v}sla_evaluations AS s;

-- ratings: one row for each rating
SELECT
    r.organization_id,                                  -- the organization's id at Dixa
    r.csid,                                             -- the number of the conversation
    r.number,                                           -- the ratings of a conversation, counted from 1
    r.type,                                             -- Csat, Nps or ThumbsUpOrDown
    r.score,                                            -- the score
    r.comment,                                          -- the end user's comment
    r.agent_id,                                         -- the id of the agent who was rated
    r.agent_name,                                       -- the name of that agent
    {time r.rated_at} AS rated_at                       -- when it was rated
FROM {v}ratings AS r;

-- missed_webhooks: one row for everything that proves that a webhook was lost
SELECT
    m.organization_id,                                  -- the organization's id at Dixa
    m.csid,                                             -- the number of the conversation
    m.number,                                           -- the losses of a conversation, counted from 1
    m.proof,                                            -- inferred, repeat or unexpected
    m.field,                                            -- the field that the lost webhook was about
    m.detail,                                           -- the tag, where the field is tags
    m.topic AS event,                                   -- the event that is the evidence
    m.event_id,                                         -- the id of that webhook
    {time m.after} AS lost_after,                       -- when the window begins in which it was lost
    {time m.at} AS lost_before                          -- when that window ends
FROM {v}missed AS m;

-- bans: one row for each end user or IP address that was ever banned
SELECT
    b.organization_id,                                  -- the organization's id at Dixa
    b.kind,                                             -- enduser or ip
    b.subject,                                          -- the end user's id, or the address
    {json b.state user.name} AS enduser_name,           -- the end user's name
    b.banned,                                           -- whether the ban holds now
    {moment b.state since} AS since,                    -- since when that is so
    {json b.state by.name} AS actor_name                -- the name of whoever did it, where Dixa says so
FROM {v}bans AS b;

-- events: one row for each stored event, without what was written in it
SELECT
    e.notification_id AS position,                      -- the store position
    e.originator_id AS stream,                          -- the stream, such as conversation/ORGANIZATION/CSID
    e.originator_version AS version,                    -- the order of arrival in that stream, from 1
    e.topic AS event,                                   -- the event, for example conversation.closed
    {json e.state body.event_id} AS event_id,           -- the webhook's id
    {json e.state body.event_timestamp} AS event_timestamp, -- when it happened, as Dixa wrote it
    {moment e.state received_at} AS received_at,        -- when it was received
    {json e.state subscription_id} AS subscription_id,  -- the webhook subscription that sent it
    {json e.state signature} AS signature               -- the header X-Dixa-Signature
FROM stored_events AS e;
