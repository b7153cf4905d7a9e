-- What people prove that it is them with, beside their token: see state/reviewers.rs.
CREATE TABLE reviewers (
    -- Their name.
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
