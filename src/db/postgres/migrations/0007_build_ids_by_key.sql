-- Searches by name read the files in the order of their keys, by bytes whatever the collation of the database is.
CREATE INDEX IF NOT EXISTS build_ids_by_key ON build_ids (key COLLATE "C", build_id COLLATE "C");
