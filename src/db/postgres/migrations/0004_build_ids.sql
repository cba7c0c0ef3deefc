-- The stored files of regular uploads that are ELF files with a build id.
CREATE TABLE build_ids (
    -- Lower case, as debuginfod asks for it.
    build_id text NOT NULL,
    key text NOT NULL,
    -- Of the file that has this build id: another one may have taken its key.
    sha256 text NOT NULL,
    has_code boolean NOT NULL,
    has_debug_info boolean NOT NULL,
    is_gzipped boolean NOT NULL,
    size bigint,
    upload_id bigint NOT NULL REFERENCES uploads (id),
    PRIMARY KEY (build_id, key)
);

CREATE INDEX build_ids_by_upload ON build_ids (upload_id);
