-- The rules, policies and owners that people have signed last.
CREATE TABLE rulebook (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL
) STRICT;
