-- Whose work is paused, on which machine: rules decide nothing there until somebody lets it go on.
CREATE TABLE pauses (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
