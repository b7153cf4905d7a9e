-- Accounts in which programs may be no longer what they are called.
CREATE TABLE taints (
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
