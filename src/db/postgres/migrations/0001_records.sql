CREATE TABLE tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret_hash text NOT NULL UNIQUE,
    email text NOT NULL,
    permissions text[] NOT NULL,
    note text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE uploads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uploader text NOT NULL,
    file_name text NOT NULL,
    size bigint NOT NULL,
    bucket text NOT NULL,
    is_try boolean NOT NULL,
    content_hash text NOT NULL,
    download_url text,
    redirect_urls text[] NOT NULL,
    ignored_keys text[] NOT NULL,
    skipped_keys text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    -- Neither of the two while the upload is pending.
    completed_at timestamptz,
    failure text,
    CHECK (completed_at IS NULL OR failure IS NULL)
);

CREATE TABLE upload_files (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    upload_id bigint NOT NULL REFERENCES uploads (id),
    key text NOT NULL,
    is_update boolean NOT NULL,
    is_compressed boolean NOT NULL,
    stored_size bigint NOT NULL,
    original_size bigint NOT NULL,
    sha256 text NOT NULL,
    replaced_sha256 text,
    debug_file text,
    debug_id text,
    code_file text,
    code_id text,
    generator text,
    stored_at timestamptz NOT NULL
);

CREATE INDEX upload_files_by_upload ON upload_files (upload_id);
CREATE INDEX upload_files_by_key ON upload_files (key);
CREATE INDEX upload_files_by_debug_id ON upload_files (debug_file, debug_id);
CREATE INDEX upload_files_by_code_id ON upload_files (code_file, code_id);

CREATE TABLE missing_symbols (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- SHA-256 of the five texts: together they may be longer than an entry of an index.
    identity bytea NOT NULL UNIQUE,
    debug_file text NOT NULL,
    debug_id text NOT NULL,
    file_name text NOT NULL,
    -- Empty for none.
    code_file text NOT NULL,
    code_id text NOT NULL,
    count bigint NOT NULL,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL
);

CREATE INDEX missing_symbols_by_modified_at ON missing_symbols (modified_at);

-- The last batch of each writer, so that one that is sent again is not added again.
CREATE TABLE missing_writers (
    id bytea PRIMARY KEY,
    batch bigint NOT NULL,
    written_at timestamptz NOT NULL
);
