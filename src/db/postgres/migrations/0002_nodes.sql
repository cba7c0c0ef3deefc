-- The servers that use these records. The beat of a server rises for as long as it lives.
CREATE TABLE nodes (
    id text PRIMARY KEY,
    beat bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

-- Who has an upload in hand; neither of the two in uploads of the time before nodes.
ALTER TABLE uploads ADD COLUMN node text;
ALTER TABLE uploads ADD COLUMN ticket bigint;

-- How long each step took, in milliseconds, where it was measured.
ALTER TABLE uploads ADD COLUMN received_ms bigint;
ALTER TABLE uploads ADD COLUMN checked_ms bigint;
ALTER TABLE uploads ADD COLUMN stored_ms bigint;

CREATE INDEX IF NOT EXISTS uploads_pending ON uploads (node) WHERE completed_at IS NULL AND failure IS NULL;

-- Keys that only one pending upload may store.
CREATE TABLE upload_claims (
    is_try boolean NOT NULL,
    key text NOT NULL,
    upload_id bigint NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    PRIMARY KEY (is_try, key)
);

CREATE INDEX upload_claims_by_upload ON upload_claims (upload_id);
