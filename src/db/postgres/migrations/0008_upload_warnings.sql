-- What the uploader should know of the upload: a JSON array of objects with a code, a count and some keys.
ALTER TABLE uploads ADD COLUMN warnings text NOT NULL DEFAULT '[]';
