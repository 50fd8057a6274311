-- The views of one generation: what a replay builds beside the live ones, and what readers see.
-- {v} is the prefix of the generation; {text} is text that sorts by bytes, as keys and pages must.
-- Times are microseconds since 1970 in UTC, durations seconds.
-- Intervals are half-open: [since, until), still running where until is null.

CREATE TABLE {v}conversations (
    stream {text} PRIMARY KEY,
    organization_id TEXT,
    csid BIGINT NOT NULL,
    status TEXT,
    dixa_status TEXT,
    status_since BIGINT,
    channel TEXT,
    direction TEXT,
    queue_id TEXT,
    queue_name TEXT,
    assignee_id TEXT,
    assignee_name TEXT,
    assignee_email TEXT,
    requester_id TEXT,
    requester_email TEXT,
    sla_status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_event_at BIGINT NOT NULL,
    last_message_at BIGINT,
    assigned_at BIGINT,
    waiting_since BIGINT,
    reopened_at BIGINT,
    open_since BIGINT,
    deadline BIGINT,
    asked_at BIGINT,
    answered_at BIGINT,
    closed_at BIGINT,
    duration DOUBLE PRECISION,
    entered_queue BOOLEAN NOT NULL,
    irregular BIGINT NOT NULL,
    inferred BIGINT NOT NULL,
    starts_midlife BOOLEAN NOT NULL,
    missed BIGINT NOT NULL,
    first_response DOUBLE PRECISION,
    first_resolution DOUBLE PRECISION,
    full_resolution DOUBLE PRECISION,
    first_response_bound BOOLEAN NOT NULL,
    first_resolution_bound BOOLEAN NOT NULL,
    full_resolution_bound BOOLEAN NOT NULL,
    inexact TEXT NOT NULL,
    version BIGINT NOT NULL,
    position BIGINT NOT NULL,
    chunks BIGINT NOT NULL,
    state BYTEA NOT NULL
);

CREATE TABLE {v}transitions (
    stream {text} NOT NULL,
    sequence BIGINT NOT NULL,
    organization_id TEXT,
    csid BIGINT NOT NULL,
    before TEXT,
    after TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT,
    irregular TEXT,
    starts_midlife BOOLEAN NOT NULL,
    inferred BOOLEAN NOT NULL,
    late BOOLEAN NOT NULL,
    move BYTEA NOT NULL,
    PRIMARY KEY (stream, sequence)
);

CREATE TABLE {v}assignments (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    agent_id TEXT,
    agent_name TEXT,
    agent_email TEXT,
    since BIGINT NOT NULL,
    until BIGINT,
    how TEXT NOT NULL,
    until_inferred BOOLEAN NOT NULL,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}queue_intervals (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    queue_id TEXT,
    queue_name TEXT,
    since BIGINT NOT NULL,
    until BIGINT,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}queue_visits (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    queue_id TEXT,
    queue_name TEXT,
    enqueued_at BIGINT NOT NULL,
    left_at BIGINT,
    outcome TEXT,
    inferred BOOLEAN NOT NULL,
    wait DOUBLE PRECISION,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}responses (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    answered_at BIGINT NOT NULL,
    agent_id TEXT,
    agent_name TEXT,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}tags (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    tag TEXT NOT NULL,
    tag_id TEXT,
    since BIGINT NOT NULL,
    until BIGINT,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}custom_attributes (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    identifier TEXT NOT NULL,
    attribute_id TEXT,
    value TEXT NOT NULL,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}sla_evaluations (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    organization_id TEXT,
    csid BIGINT NOT NULL,
    evaluation_id TEXT,
    policy TEXT,
    metric TEXT,
    status TEXT NOT NULL,
    deadline BIGINT,
    since BIGINT NOT NULL,
    began_at BIGINT NOT NULL,
    breached_late_at BIGINT,
    channel TEXT,
    channel_name TEXT,
    queue_id TEXT,
    queue_name TEXT,
    assignee_id TEXT,
    assignee_name TEXT,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}sla_tags (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    tag {text} NOT NULL,
    PRIMARY KEY (stream, number, tag)
);

CREATE TABLE {v}ratings (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    organization_id TEXT,
    csid BIGINT NOT NULL,
    type TEXT,
    score DOUBLE PRECISION,
    comment TEXT,
    agent_id TEXT,
    agent_name TEXT,
    rated_at BIGINT NOT NULL,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}missed (
    stream {text} NOT NULL,
    number BIGINT NOT NULL,
    organization_id TEXT,
    csid BIGINT NOT NULL,
    proof TEXT NOT NULL,
    field TEXT NOT NULL,
    detail TEXT,
    event_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    after BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (stream, number)
);

CREATE TABLE {v}words (
    word {text} NOT NULL,
    stream {text} NOT NULL,
    PRIMARY KEY (word, stream)
);

-- What a state begins with, where it is long: no event rewrites it.
CREATE TABLE {v}histories (
    stream {text} NOT NULL,
    history {text} NOT NULL,
    number BIGINT NOT NULL,
    items BYTEA NOT NULL,
    PRIMARY KEY (stream, history, number)
);

CREATE TABLE {v}bans (
    stream {text} PRIMARY KEY,
    kind TEXT NOT NULL,
    organization_id TEXT,
    subject TEXT NOT NULL,
    banned BOOLEAN NOT NULL,
    position BIGINT NOT NULL,
    chunks BIGINT NOT NULL,
    state BYTEA NOT NULL
);

-- Events that could not be folded: skipped, shown, tried again by a replay.
CREATE TABLE {v}poison (
    position BIGINT PRIMARY KEY,
    stream {text} NOT NULL,
    topic TEXT NOT NULL,
    error TEXT NOT NULL
);
