//! Where objects lie, as the configuration says it.

use serde::{Deserialize, Serialize};

use super::s3::S3Config;
use symbols::check_name;

/// Which storage to use and where it lies. An empty text means that the setting is not set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// The kind of storage: `disk` or `s3`.
    pub kind: StorageKind,
    /// Directory of the disk storage; a relative one lies under `data_dir`.
    pub directory: String,
    /// Bucket of the S3 storage.
    pub bucket: String,
    /// Address of a store other than Amazon's, as in `https://s3.example.com:9000`.
    pub endpoint: String,
    /// Region of the bucket; empty means the one of the environment or the profile.
    pub region: String,
    /// Path prefix of regular symbols; only that of a further place may be empty.
    pub prefix: String,
    /// Path prefix of try symbols.
    pub try_prefix: String,
    /// How clients get at the objects of an S3 storage; those of a disk are always sent by this server.
    pub access: Access,
    /// Address under which everybody can read the bucket's objects, for `redirect`; empty means the store's own.
    pub public_url: String,
    /// How the S3 storage is spoken to.
    pub s3: S3Config,
    /// Further places to look for regular symbols in, in this order, after this one. They are only read.
    pub sources: Vec<StorageConfig>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            kind: StorageKind::Disk,
            directory: "objects".to_owned(),
            bucket: String::new(),
            endpoint: String::new(),
            region: String::new(),
            prefix: "v1".to_owned(),
            try_prefix: "try/v1".to_owned(),
            access: Access::Redirect,
            public_url: String::new(),
            s3: S3Config::default(),
            sources: Vec::new(),
        }
    }
}

/// The kinds of storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// A directory of this machine.
    Disk,
    /// A bucket of Amazon S3, or of a store that speaks its protocol.
    S3,
}

/// How clients get at an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// They are sent to its public address.
    Redirect,
    /// They are sent to an address that lets whoever has it read this object for a limited time.
    Presign,
    /// This server sends the bytes.
    Proxy,
}

const PREFIX_RULE: &str =
    "must be a path such as v1 or try/v1, without empty parts or parts that begin with a dot";

const URL_RULE: &str =
    "must begin with http:// or https://, without a user, a question mark or a number sign";

impl StorageConfig {
    /// What is wrong with values that are of the right kind: each key, from `storage` on, and what it should be.
    #[must_use]
    pub fn contradictions(&self) -> Vec<(String, &'static str)> {
        let mut problems = self.contradictions_of_place("storage");
        problems.extend(failed(
            "storage",
            &[
                ("prefix", is_prefix(&self.prefix), PREFIX_RULE),
                ("try_prefix", is_prefix(&self.try_prefix), PREFIX_RULE),
                (
                    "try_prefix",
                    self.prefix != self.try_prefix,
                    "is the same as storage.prefix, so try symbols would be regular ones",
                ),
            ],
        ));
        for (number, source) in self.sources.iter().enumerate() {
            let section = format!("storage.sources[{number}]");
            problems.extend(source.contradictions_of_place(&section));
            problems.extend(failed(
                &section,
                &[
                    (
                        "prefix",
                        source.prefix.is_empty() || is_prefix(&source.prefix),
                        PREFIX_RULE,
                    ),
                    (
                        "sources",
                        source.sources.is_empty(),
                        "belongs to [storage]: a further place has none of its own",
                    ),
                    (
                        "try_prefix",
                        source.try_prefix == Self::default().try_prefix,
                        "belongs to [storage]: try symbols are looked for there alone",
                    ),
                ],
            ));
        }
        problems
    }

    fn contradictions_of_place(&self, section: &str) -> Vec<(String, &'static str)> {
        let is_s3 = self.kind == StorageKind::S3;
        let mut problems = failed(
            section,
            &[
                (
                    "directory",
                    is_s3 || !self.directory.is_empty(),
                    "names no directory",
                ),
                (
                    "bucket",
                    !is_s3 || !self.bucket.is_empty(),
                    "names no bucket, and kind is \"s3\"",
                ),
                ("endpoint", is_url(&self.endpoint), URL_RULE),
                ("public_url", is_url(&self.public_url), URL_RULE),
            ],
        );
        problems.extend(failed(&format!("{section}.s3"), &self.s3.checks()));
        problems
    }
}

/// The keys of a section whose check does not hold.
fn failed(
    section: &str,
    checks: &[(&'static str, bool, &'static str)],
) -> Vec<(String, &'static str)> {
    let failed = checks.iter().filter(|(_, holds, _)| !holds);
    failed
        .map(|(key, _, message)| (format!("{section}.{key}"), *message))
        .collect()
}

fn is_prefix(prefix: &str) -> bool {
    prefix
        .split('/')
        .all(|part| !part.starts_with('.') && check_name(part).is_ok())
}

/// Tells whether a text is empty or an address that a path can be appended to.
fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    text.is_empty()
        || rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_a_path_can_follow_are_taken() {
        for good in ["", "http://127.0.0.1:9000", "https://s3.example.com/path/"] {
            assert!(is_url(good), "{good}");
        }
        for bad in [
            "s3.example.com",
            "ftp://x",
            "http://",
            "https://user:password@x",
            "http://x/?a",
            "http://x/#a",
        ] {
            assert!(!is_url(bad), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_place() {
        let config = StorageConfig {
            kind: StorageKind::S3,
            endpoint: "localhost:9000".to_owned(),
            sources: vec![StorageConfig {
                directory: String::new(),
                sources: vec![StorageConfig::default()],
                ..StorageConfig::default()
            }],
            ..StorageConfig::default()
        };
        let keys: Vec<_> = config
            .contradictions()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(
            keys,
            [
                "storage.bucket",
                "storage.endpoint",
                "storage.sources[0].directory",
                "storage.sources[0].sources"
            ]
        );
        assert!(StorageConfig::default().contradictions().is_empty());
    }
}
