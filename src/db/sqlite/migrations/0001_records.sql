-- Times are microseconds since the Unix epoch; lists are JSON arrays of texts.

CREATE TABLE tokens (
    id INTEGER PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    permissions TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE TABLE uploads (
    id INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    file_name TEXT NOT NULL,
    size INTEGER NOT NULL,
    bucket TEXT NOT NULL,
    is_try INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    download_url TEXT,
    redirect_urls TEXT NOT NULL,
    ignored_keys TEXT NOT NULL,
    skipped_keys TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    -- Neither of the two while the upload is pending.
    completed_at INTEGER,
    failure TEXT,
    CHECK (completed_at IS NULL OR failure IS NULL)
) STRICT;

CREATE TABLE upload_files (
    id INTEGER PRIMARY KEY,
    upload_id INTEGER NOT NULL REFERENCES uploads (id),
    key TEXT NOT NULL,
    is_update INTEGER NOT NULL,
    is_compressed INTEGER NOT NULL,
    stored_size INTEGER NOT NULL,
    original_size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    replaced_sha256 TEXT,
    debug_file TEXT,
    debug_id TEXT,
    code_file TEXT,
    code_id TEXT,
    generator TEXT,
    stored_at INTEGER NOT NULL
) STRICT;

CREATE INDEX upload_files_by_upload ON upload_files (upload_id);
CREATE INDEX upload_files_by_key ON upload_files (key);
CREATE INDEX upload_files_by_debug_id ON upload_files (debug_file, debug_id);
CREATE INDEX upload_files_by_code_id ON upload_files (code_file, code_id);

CREATE TABLE missing_symbols (
    id INTEGER PRIMARY KEY,
    debug_file TEXT NOT NULL,
    debug_id TEXT NOT NULL,
    file_name TEXT NOT NULL,
    -- Empty for none: the constraint below would hold two NULLs for different.
    code_file TEXT NOT NULL,
    code_id TEXT NOT NULL,
    count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    UNIQUE (debug_file, debug_id, file_name, code_file, code_id)
) STRICT;

CREATE INDEX missing_symbols_by_modified_at ON missing_symbols (modified_at);

-- The last batch of each writer, so that one that is sent again is not added again.
CREATE TABLE missing_writers (
    id BLOB PRIMARY KEY,
    batch INTEGER NOT NULL,
    written_at INTEGER NOT NULL
) STRICT;
