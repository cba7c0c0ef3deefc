-- Files that were put into the storage and wait until their upload is completed.
CREATE TABLE waiting_files (
    key_hash text PRIMARY KEY,
    uploader text NOT NULL,
    token_id bigint NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX waiting_files_by_uploader ON waiting_files (uploader);
CREATE INDEX waiting_files_by_created_at ON waiting_files (created_at);
