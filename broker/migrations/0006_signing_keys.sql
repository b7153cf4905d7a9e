-- The keys with which people sign what they allow.
CREATE TABLE signing_keys (
    -- SHA-256 fingerprint of the key.
    id   TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;
