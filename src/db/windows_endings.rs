//! The endings of Windows modules, as the conditions of the partial indexes on folded names have them.
//!
//! A query uses such an index only if it repeats the index's condition. Migration 0006 spells the list out, since
//! migrations never change; a test there compares it with that of `symbols`.

/// The list in SQL of both engines, for [`concat!`].
macro_rules! windows_endings {
    () => {
        "('.pdb', '.dll', '.exe', '.sys', '.ocx', '.drv', '.cpl', '.scr', '.efi', '.mui')"
    };
}

pub(super) use windows_endings;
