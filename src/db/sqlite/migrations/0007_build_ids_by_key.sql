-- Searches by name read the files in the order of their keys.
CREATE INDEX build_ids_by_key ON build_ids (key, build_id);
