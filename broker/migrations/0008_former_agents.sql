-- Agents that were removed: who answered for one stays behind it when it comes back.
CREATE TABLE former_agents (
    -- The id that it had.
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
