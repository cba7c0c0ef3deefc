-- Whether the file was there before its upload, which is only the first to record it.
ALTER TABLE upload_files ADD COLUMN was_held boolean NOT NULL DEFAULT false;
