-- Everything the broker must remember. Times are microseconds since the Unix epoch.
CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY,
    line TEXT NOT NULL
) STRICT;
-- The log is only ever appended to.
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- The head of the log once more, so that a cut tail shows.
CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;

CREATE TABLE commands (
    id           TEXT PRIMARY KEY,
    session_id   TEXT NOT NULL,
    state        TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    view         TEXT NOT NULL
) STRICT;
CREATE INDEX commands_by_session ON commands (session_id, submitted_at);
CREATE INDEX commands_by_time ON commands (submitted_at);
CREATE INDEX commands_open ON commands (state) WHERE state IN ('pending', 'allowed', 'released');

CREATE TABLE sessions (
    id        TEXT PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    view      TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_time ON sessions (opened_at);

CREATE TABLE rules (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE policies (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE principals (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    -- SHA-256 of the bearer token in hex; the token itself is never kept.
    token_hash TEXT UNIQUE,
    -- An agent's public key, "ssh-ed25519 AAAA..." without a comment.
    public_key TEXT UNIQUE,
    body       TEXT NOT NULL
) STRICT;

CREATE TABLE targets (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- What the engine has learnt of each agent.
CREATE TABLE baselines (
    agent TEXT PRIMARY KEY,
    body  TEXT NOT NULL
) STRICT;
