-- Files that were put into the storage and wait until their upload is completed. Times are microseconds since the Unix
-- epoch.
CREATE TABLE waiting_files (
    key_hash TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    token_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX waiting_files_by_user ON waiting_files (user);
CREATE INDEX waiting_files_by_created_at ON waiting_files (created_at);
