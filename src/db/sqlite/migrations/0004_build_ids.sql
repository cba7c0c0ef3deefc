-- The stored files of regular uploads that are ELF files with a build id.
CREATE TABLE build_ids (
    -- Lower case, as debuginfod asks for it.
    build_id TEXT NOT NULL,
    key TEXT NOT NULL,
    -- Of the file that has this build id: another one may have taken its key.
    sha256 TEXT NOT NULL,
    has_code INTEGER NOT NULL,
    has_debug_info INTEGER NOT NULL,
    is_gzipped INTEGER NOT NULL,
    size INTEGER,
    upload_id INTEGER NOT NULL REFERENCES uploads (id),
    PRIMARY KEY (build_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX build_ids_by_upload ON build_ids (upload_id);
