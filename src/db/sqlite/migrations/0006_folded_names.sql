-- The names of Windows modules have no letter case: their files and code ids are found under every spelling, and all
-- spellings are one missing symbol.
CREATE INDEX upload_files_by_folded_key ON upload_files (lower(key))
    WHERE lower(substr(key, instr(key, '/') - 4, 4))
        IN ('.pdb', '.dll', '.exe', '.sys', '.ocx', '.drv', '.cpl', '.scr', '.efi', '.mui');
CREATE INDEX upload_files_by_folded_code_id ON upload_files (lower(code_file), code_id)
    WHERE lower(substr(code_file, -4))
        IN ('.pdb', '.dll', '.exe', '.sys', '.ocx', '.drv', '.cpl', '.scr', '.efi', '.mui');
CREATE INDEX missing_symbols_by_folded_name ON missing_symbols (lower(debug_file), debug_id)
    WHERE lower(substr(debug_file, -4))
        IN ('.pdb', '.dll', '.exe', '.sys', '.ocx', '.drv', '.cpl', '.scr', '.efi', '.mui');
