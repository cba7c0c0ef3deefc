//! The bytes that a client gets of a stored object, and the headers that describe them (RFC 9110, 8).
//!
//! An object that is stored gzipped has two representations: as it is stored, and inflated. Each has its own entity
//! tag, made of the digest of the original, so that two copies of one file in two places have one tag.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentEncoding, HttpDate};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::storage::ObjectInfo;

/// The content type of objects that have none.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The only type that browsers may display.
const TEXT: &str = "text/plain";

/// How the sent bytes are made from the stored ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// They are the same, and are the original.
    Original,
    /// They are the same, and are gzipped.
    Gzipped,
    /// They are inflated on the way.
    Inflated,
}

/// The representation of one version of an object. Equal representations have the same bytes and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Representation {
    form: Form,
    /// The number of bytes; unknown for gzipped objects that other programs stored without the original size, and for
    /// what has not been unpacked yet.
    length: Option<u64>,
    /// The entity tag without its quotes.
    tag: String,
    last_modified: Option<HttpDate>,
    content_type: String,
}

impl Representation {
    /// The representation of an object for a client.
    pub(super) fn of(info: &ObjectInfo, accepts_gzip: bool) -> Self {
        let form = match (info.meta.is_gzipped, accepts_gzip) {
            (false, _) => Form::Original,
            (true, true) => Form::Gzipped,
            (true, false) => Form::Inflated,
        };
        let length = match form {
            Form::Inflated => info.meta.original_size,
            Form::Original | Form::Gzipped => Some(info.stored_size),
        };
        let content_type = info.meta.content_type.as_deref().unwrap_or(UNKNOWN_TYPE);
        Self {
            form,
            length,
            tag: entity_tag(info, form),
            last_modified: last_modified(info),
            content_type: content_type.to_owned(),
        }
    }

    /// The representation of a file that is unpacked from a cabinet, as far as the cabinet tells: the length is unknown
    /// before it is unpacked. Unpacking a version of a cabinet always makes the same bytes, so its tag names them too.
    pub(super) fn of_unpacked(cabinet: &ObjectInfo, length: Option<u64>) -> Self {
        Self {
            form: Form::Original,
            length,
            tag: format!("{}-unpacked", entity_tag(cabinet, Form::Original)),
            last_modified: last_modified(cabinet),
            content_type: UNKNOWN_TYPE.to_owned(),
        }
    }

    /// How the bytes are made.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// The number of bytes, if that is known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The entity tag without its quotes; it is a strong one.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// When the object was stored, in whole seconds; `None` when the storage does not know.
    pub(super) fn last_modified(&self) -> Option<HttpDate> {
        self.last_modified
    }

    /// The length, if ranges are supported. They are only for objects that are stored plain: a part of a gzipped file
    /// is useless, and a part of an inflated file would cost as much as the whole.
    pub(super) fn length_for_ranges(&self) -> Option<u64> {
        match self.form {
            Form::Original => self.length,
            Form::Gzipped | Form::Inflated => None,
        }
    }

    /// Begins a 304, with only the headers that caches need (RFC 9110, 15.4.5).
    pub(super) fn not_modified(&self, max_age: Duration) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(StatusCode::NOT_MODIFIED);
        self.describe_version(&mut response, max_age);
        response
    }

    /// Begins an answer with these bytes, or some of them.
    pub(super) fn head(&self, status: StatusCode, max_age: Duration) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        self.describe_version(&mut response, max_age);
        response.content_type(self.content_type.as_str());
        let ranges = match self.form {
            Form::Original => "bytes",
            Form::Gzipped | Form::Inflated => "none",
        };
        response.insert_header((header::ACCEPT_RANGES, ranges));
        if self.form == Form::Gzipped {
            response.insert_header(ContentEncoding::Gzip);
        }
        // Objects of other programs might be pages with scripts, which browsers must not display as this server's.
        if !self.content_type.starts_with(TEXT) {
            response.insert_header((header::CONTENT_DISPOSITION, "attachment"));
        }
        response
    }

    fn describe_version(&self, response: &mut HttpResponseBuilder, max_age: Duration) {
        response
            .insert_header((header::ETAG, format!("\"{}\"", self.tag)))
            .insert_header((header::CACHE_CONTROL, cache_control(max_age)));
        if let Some(at) = self.last_modified {
            response.insert_header((header::LAST_MODIFIED, at));
        }
        if self.form != Form::Original {
            response.insert_header((header::VARY, "Accept-Encoding"));
        }
    }
}

/// Another upload can replace a file, so it is never `immutable`. `no-transform`, because a cache that gzips or
/// inflates would send bytes that the entity tag does not name.
fn cache_control(max_age: Duration) -> String {
    match max_age.as_secs() {
        0 => "public, no-cache, no-transform".to_owned(),
        seconds => format!("public, max-age={seconds}, no-transform"),
    }
}

/// The entity tag of exactly these bytes (RFC 9110, 8.8.3): the digest of the original, else the storage's version,
/// else size and time.
fn entity_tag(info: &ObjectInfo, form: Form) -> String {
    let meta = &info.meta;
    let sha256 = meta.original_sha256.map(|digest| digest.to_string());
    let md5 = || meta.original_md5.map(|digest| digest.to_string());
    let mut tag = match sha256.or_else(md5).or_else(|| info.version.clone()) {
        Some(name) => name,
        // Whole microseconds, which is what caches of lookups keep.
        None => format!(
            "{:x}-{:x}",
            info.stored_size,
            info.modified_at.unix_timestamp_nanos() / 1000
        ),
    };
    if form == Form::Gzipped {
        let _ = tag.write_str("-gzip");
    }
    tag
}

fn last_modified(info: &ObjectInfo) -> Option<HttpDate> {
    let seconds = u64::try_from(info.modified_at.unix_timestamp()).ok()?;
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    (seconds > 0).then(|| HttpDate::from(at))
}

#[cfg(test)]
mod tests {
    use symbols::{Md5, Sha256};
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;
    use crate::storage::ObjectMeta;

    fn info() -> ObjectInfo {
        ObjectInfo {
            meta: ObjectMeta::default(),
            stored_size: 10,
            modified_at: datetime!(2026-11-23 00:27:02.114_900_7 UTC),
            version: None,
            inode: None,
        }
    }

    #[test]
    fn an_object_is_named_by_the_best_that_is_known_of_it() {
        let mut info = info();
        let tag = |info: &ObjectInfo| Representation::of(info, false).tag().to_owned();
        let by_time = tag(&info);
        info.modified_at = datetime!(2026-11-23 00:27:02.114_900 UTC);
        assert_eq!(tag(&info), by_time, "as a cache has it");
        info.modified_at += Duration::from_micros(1);
        assert_ne!(tag(&info), by_time);
        info.version = Some("s3-tag".to_owned());
        assert_eq!(tag(&info), "s3-tag");
        info.meta.original_md5 = Some(Md5::new([0x0f; 16]));
        assert_eq!(tag(&info), "0f".repeat(16));
        info.meta.original_sha256 = Some(Sha256::new([0x1f; 32]));
        assert_eq!(tag(&info), "1f".repeat(32));
    }

    #[test]
    fn what_is_stored_gzipped_has_two_forms() {
        let mut info = info();
        info.meta.original_sha256 = Some(Sha256::new([0x1f; 32]));
        let tag = "1f".repeat(32);
        info.meta.original_size = Some(99);
        info.meta.is_gzipped = true;
        let (gzipped, inflated) = (
            Representation::of(&info, true),
            Representation::of(&info, false),
        );
        assert_eq!(gzipped.tag(), format!("{tag}-gzip"));
        assert_eq!(gzipped.length(), Some(10));
        assert_eq!(inflated.tag(), tag);
        assert_eq!(inflated.length(), Some(99));
        assert_eq!(gzipped.length_for_ranges(), None);
        assert_eq!(inflated.length_for_ranges(), None);
        info.meta.is_gzipped = false;
        assert_eq!(
            Representation::of(&info, true).length_for_ranges(),
            Some(10)
        );
    }

    #[test]
    fn times_are_whole_seconds_and_unknown_ones_are_not_told() {
        let mut info = info();
        let told = |info: &ObjectInfo| {
            let at = Representation::of(info, false).last_modified();
            at.map(|at| at.to_string())
        };
        assert_eq!(
            told(&info).as_deref(),
            Some("Mon, 23 Nov 2026 00:27:02 GMT")
        );
        info.modified_at = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(told(&info), None);
    }
}
