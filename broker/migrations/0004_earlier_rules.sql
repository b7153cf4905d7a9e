-- Rules of the time when a rule allowed a terminal and standard input without saying so: each is named
-- to a person once, and then forgotten here.
CREATE TABLE earlier_rules (
    id TEXT PRIMARY KEY
) STRICT;
INSERT INTO earlier_rules (id) SELECT id FROM rules;
