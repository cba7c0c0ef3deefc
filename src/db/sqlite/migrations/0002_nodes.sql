-- The servers that use these records. The beat of a server rises for as long as it lives.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    beat INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

-- Who has an upload in hand; neither of the two in uploads of the time before nodes.
ALTER TABLE uploads ADD COLUMN node TEXT;
ALTER TABLE uploads ADD COLUMN ticket INTEGER;

-- How long each step took, in milliseconds, where it was measured.
ALTER TABLE uploads ADD COLUMN received_ms INTEGER;
ALTER TABLE uploads ADD COLUMN checked_ms INTEGER;
ALTER TABLE uploads ADD COLUMN stored_ms INTEGER;

CREATE INDEX uploads_pending ON uploads (node) WHERE completed_at IS NULL AND failure IS NULL;

-- Keys that only one pending upload may store.
CREATE TABLE upload_claims (
    is_try INTEGER NOT NULL,
    key TEXT NOT NULL,
    upload_id INTEGER NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    PRIMARY KEY (is_try, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_claims_by_upload ON upload_claims (upload_id);
