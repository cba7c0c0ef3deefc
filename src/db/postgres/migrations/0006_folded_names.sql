-- The names of Windows modules have no letter case: their files and code ids are found under every spelling. The C
-- collation knows no letters but those of ASCII.
CREATE INDEX IF NOT EXISTS upload_files_by_folded_key ON upload_files (lower(key COLLATE "C"))
    WHERE lower(right(split_part(key, '/', 1), 4) COLLATE "C")
        IN ('.pdb', '.dll', '.exe', '.sys', '.ocx', '.drv', '.cpl', '.scr', '.efi', '.mui');
CREATE INDEX IF NOT EXISTS upload_files_by_folded_code_id ON upload_files (lower(code_file COLLATE "C"), code_id)
    WHERE lower(right(code_file, 4) COLLATE "C")
        IN ('.pdb', '.dll', '.exe', '.sys', '.ocx', '.drv', '.cpl', '.scr', '.efi', '.mui');
