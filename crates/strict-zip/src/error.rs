//! Every way in which an archive is refused.

use std::io;

use bytesize::ByteSize;

/// Why an archive is refused: a sentence for the person who made it, which names the member and the rule.
///
/// All but [`Self::Read`] are faults of the archive. The sentences without a full stop are those of Python's `zipfile`.
/// Sizes are in bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive's bytes could not be read, so nothing is known of the archive.
    #[error("The archive could not be read back: {0}.")]
    Read(#[from] io::Error),

    /// There is no end record: not a zip, or a truncated one.
    #[error("File is not a zip file")]
    NotAZip,
    /// The end record is followed by an archive comment.
    #[error("The archive has a comment; make it without one.")]
    Comment,
    /// The end record is not the last thing in the file.
    #[error("The archive is followed by {bytes} more bytes; nothing may follow its end record.")]
    TrailingData {
        /// How many.
        bytes: usize,
    },
    /// A disk number other than 0, or fewer entries on this disk than in all.
    #[error("The archive is one part of a split archive; make it in one file.")]
    Split,
    /// The zip64 end record is not the 56 bytes before its locator, or the locator points elsewhere.
    #[error("The archive's zip64 end record is not where it must be, directly before its locator.")]
    Zip64EndRecord,
    /// The end record and the zip64 end record contradict each other.
    #[error("The archive's two end records differ in the {0}.")]
    EndRecordsDiffer(&'static str),
    /// The central directory does not end where the end records begin.
    #[error("The archive's central directory does not end where its end record begins.")]
    DirectoryPosition,
    /// More entries than the limit.
    #[error("The archive has {entries} entries; {limit} is the most allowed.")]
    TooManyEntries {
        /// How many.
        entries: u64,
        /// The limit, [`Limits::entries`](super::Limits::entries).
        limit: u64,
    },
    /// A larger central directory than the limit.
    #[error("The archive's central directory takes {size} bytes; {} is the most allowed.", ByteSize(*.limit))]
    DirectoryTooLarge {
        /// Its size.
        size: u64,
        /// The limit, [`Limits::directory`](super::Limits::directory).
        limit: u64,
    },
    /// Part of the central directory is not a record, or is cut off.
    #[error("The archive's central directory is damaged after {entries} entries.")]
    Directory {
        /// How many records are good.
        entries: usize,
    },
    /// The end record has another number of entries than the central directory.
    #[error(
        "The archive's end record counts {declared} entries, its central directory has another number."
    )]
    EntryCount {
        /// The number in the end record.
        declared: u64,
    },
    /// The first member does not start at byte 0.
    #[error("The archive starts with {bytes} bytes that belong to no member.")]
    PrependedData {
        /// How many.
        bytes: u64,
    },

    /// A name so long that it is not repeated here.
    #[error("The name of a member is {length} bytes long; {limit} is the most allowed.")]
    NameTooLong {
        /// Its length.
        length: usize,
        /// The limit, [`Limits::name_length`](super::Limits::name_length).
        limit: usize,
    },
    /// A name in another encoding.
    #[error("The name of the member {0:?} is not UTF-8.")]
    NameNotUtf8(String),
    /// Two members of one [identity](super::Names::identity).
    #[error("The members {first:?} and {second:?} have the same name.")]
    Duplicate {
        /// The member that comes first in the central directory.
        first: String,
        /// The other one.
        second: String,
    },

    /// A password is needed.
    #[error("The member {0:?} is encrypted; make the archive without a password.")]
    Encrypted(String),
    /// The data is a patch (flag bit 5).
    #[error("The member {0:?} is a patch to another file.")]
    Patched(String),
    /// Flags that no current version of the format explains.
    #[error("The member {name:?} has unknown flags ({flags:#06x}).")]
    UnknownFlags {
        /// The member.
        name: String,
        /// All its flags.
        flags: u16,
    },
    /// Another method than stored or deflated.
    #[error(
        "The member {name:?} is compressed with method {method}; only 0 (stored) and 8 (deflated) are supported."
    )]
    UnsupportedCompression {
        /// The member.
        name: String,
        /// The method (4.4.5).
        method: u16,
    },
    /// A stored member of two different sizes.
    #[error("The member {0:?} is stored uncompressed, but its compressed size is not its size.")]
    StoredSize(String),
    /// A comment on a member.
    #[error("The member {0:?} has a comment; make the archive without comments.")]
    MemberComment(String),
    /// A symbolic link, a device and the like.
    #[error("The member {name:?} is neither a regular file nor a directory (Unix mode {mode:o}).")]
    NotARegularFile {
        /// The member.
        name: String,
        /// The Unix mode.
        mode: u32,
    },
    /// The attributes and the slash at the name's end contradict each other.
    #[error("The name and the attributes of the member {0:?} differ in whether it is a directory.")]
    DirectoryAttribute(String),
    /// A file that would run with its owner's rights where it is unpacked.
    #[error(
        "The member {name:?} has the set-user-ID, set-group-ID or sticky bit (Unix mode {mode:o}); take it away."
    )]
    SpecialMode {
        /// The member.
        name: String,
        /// The Unix mode.
        mode: u32,
    },
    /// A directory that has a size.
    #[error("The member {0:?} is a directory, but has data.")]
    DirectoryWithData(String),
    /// Extra fields that do not fill their space exactly, but for up to three zeros.
    #[error("The extra fields of the member {0:?} are damaged.")]
    Extra(String),
    /// An Info-ZIP Unicode Path field (4.6.9) that does not repeat the name.
    #[error(
        "The member {0:?} has a Unicode Path field that does not repeat its name; make the archive with UTF-8 names \
         alone."
    )]
    UnicodePath(String),
    /// The zip64 extra field is missing, needless, doubled or of the wrong length.
    #[error("The zip64 field of the member {0:?} does not fit its sizes.")]
    Zip64Extra(String),

    /// A larger member than the limit.
    #[error("The member {name:?} takes {size} bytes uncompressed; {} is the most allowed.", ByteSize(*.limit))]
    MemberTooLarge {
        /// The member.
        name: String,
        /// Its declared size.
        size: u64,
        /// The limit, [`Limits::member_size`](super::Limits::member_size).
        limit: u64,
    },
    /// Larger members together than the limit.
    #[error("The archive's members take {size} bytes uncompressed; {} is the most allowed.", ByteSize(*.limit))]
    TotalTooLarge {
        /// Their declared sizes together.
        size: u64,
        /// The limit, [`Limits::total_size`](super::Limits::total_size).
        limit: u64,
    },
    /// Members that are suspiciously well compressed.
    #[error("The archive's members are more than {limit} times larger than their compressed data.")]
    Ratio {
        /// The limit, [`Limits::ratio`](super::Limits::ratio).
        limit: u64,
    },

    /// No local header where the central directory says that one is.
    #[error("The member {0:?} has no local header where the central directory says.")]
    NoLocalHeader(String),
    /// The local header and the central directory contradict each other.
    #[error(
        "The local header and the central directory differ in the {field} of the member {name:?}."
    )]
    LocalHeaderDiffers {
        /// The member, as the central directory calls it.
        name: String,
        /// The field.
        field: &'static str,
    },
    /// The member reaches into the next one or into the central directory.
    #[error("The member {0:?} overlaps with what follows it.")]
    Overlap(String),
    /// Bytes between this member and the next one.
    #[error("The member {name:?} is followed by {bytes} bytes that belong to no member.")]
    UnexplainedBytes {
        /// The member.
        name: String,
        /// How many.
        bytes: u64,
    },
    /// A streamed member without a data descriptor, or with one that says something else.
    #[error(
        "The data descriptor of the member {0:?} is missing or differs from the central directory."
    )]
    DataDescriptor(String),

    /// Not a deflate stream.
    #[error("The compressed data of the member {0:?} is damaged.")]
    CompressedData(String),
    /// A deflate stream cut into blocks so small that inflating it takes out of all proportion.
    #[error(
        "The compressed data of the member {name:?} has more than {limit} blocks, too many for its size; compress it \
         without flushing in between."
    )]
    TooManyBlocks {
        /// The member.
        name: String,
        /// The most blocks for a member of this size, by [`Limits::bytes_per_block`](super::Limits::bytes_per_block).
        limit: u64,
    },
    /// A deflate stream without an end.
    #[error("The compressed data of the member {0:?} is cut off.")]
    Truncated(String),
    /// A deflate stream that ends too early.
    #[error(
        "The compressed data of the member {name:?} ends {bytes} bytes before the member does."
    )]
    BytesAfterStream {
        /// The member.
        name: String,
        /// How many bytes follow the stream.
        bytes: u64,
    },
    /// More or fewer bytes than declared.
    #[error("The member {name:?} does not have the {declared} bytes that the archive says.")]
    WrongSize {
        /// The member.
        name: String,
        /// The declared size.
        declared: u64,
    },
    /// Another checksum than declared.
    #[error("Bad CRC-32 for file {0:?}")]
    Crc(String),
}

impl Error {
    /// The name of the rule for programs, which never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "archive_unreadable",
            Self::NotAZip => "not_a_zip",
            Self::Comment => "archive_comment",
            Self::TrailingData { .. } => "trailing_data",
            Self::Split => "split_archive",
            Self::Zip64EndRecord => "zip64_end_record",
            Self::EndRecordsDiffer(_) => "end_records_differ",
            Self::DirectoryPosition => "directory_position",
            Self::TooManyEntries { .. } => "too_many_entries",
            Self::DirectoryTooLarge { .. } => "directory_too_large",
            Self::Directory { .. } => "damaged_directory",
            Self::EntryCount { .. } => "entry_count",
            Self::PrependedData { .. } => "prepended_data",
            Self::NameTooLong { .. } => "name_too_long",
            Self::NameNotUtf8(_) => "name_not_utf8",
            Self::Duplicate { .. } => "duplicate_member",
            Self::Encrypted(_) => "encrypted",
            Self::Patched(_) => "patched_data",
            Self::UnknownFlags { .. } => "unknown_flags",
            Self::UnsupportedCompression { .. } => "unsupported_compression",
            Self::StoredSize(_) => "stored_size",
            Self::MemberComment(_) => "member_comment",
            Self::NotARegularFile { .. } => "not_a_regular_file",
            Self::DirectoryAttribute(_) => "directory_attribute",
            Self::SpecialMode { .. } => "special_mode",
            Self::DirectoryWithData(_) => "directory_with_data",
            Self::Extra(_) => "damaged_extra_field",
            Self::UnicodePath(_) => "unicode_path",
            Self::Zip64Extra(_) => "zip64_extra_field",
            Self::MemberTooLarge { .. } => "entry_too_large",
            Self::TotalTooLarge { .. } => "archive_too_large",
            Self::Ratio { .. } => "compression_ratio",
            Self::NoLocalHeader(_) => "no_local_header",
            Self::LocalHeaderDiffers { .. } => "local_header_differs",
            Self::Overlap(_) => "overlapping_entries",
            Self::UnexplainedBytes { .. } => "unexplained_bytes",
            Self::DataDescriptor(_) => "data_descriptor",
            Self::CompressedData(_) => "damaged_data",
            Self::TooManyBlocks { .. } => "too_many_blocks",
            Self::Truncated(_) => "truncated_data",
            Self::BytesAfterStream { .. } => "bytes_after_stream",
            Self::WrongSize { .. } => "size_mismatch",
            Self::Crc(_) => "crc_mismatch",
        }
    }

    /// Returns whether the archive breaks a limit on its size, so that larger [`Limits`](super::Limits) would accept
    /// it.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::TooManyEntries { .. }
                | Self::DirectoryTooLarge { .. }
                | Self::MemberTooLarge { .. }
                | Self::TotalTooLarge { .. }
        )
    }
}
