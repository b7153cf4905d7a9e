-- Changes of rules and policies that wait for approval.
CREATE TABLE changes (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
