//! The section `[storage]`: which kind of storage, and what is common to all kinds.
//!
//! The settings of a kind are a struct beside its driver. In the file they stand next to the common ones, and
//! `kind` says whose they are.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::disk::DiskConfig;
use super::s3::S3Config;
use crate::section::{Check, Section, Violation, violations};
use symbols::check_name;

/// The main storage, and where in it symbols lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageConfig {
    /// The kind of storage with the settings of that kind.
    #[serde(flatten)]
    pub kind: StorageKind,
    /// Path prefix of regular symbols.
    pub prefix: String,
    /// Path prefix of try symbols.
    pub try_prefix: String,
    /// Further places to look for regular symbols in, in this order, after this one.
    pub sources: Vec<SourceConfig>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            kind: StorageKind::default(),
            prefix: "v1".to_owned(),
            try_prefix: "try/v1".to_owned(),
            sources: Vec::new(),
        }
    }
}

/// A further place to look for regular symbols in. It is only read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceConfig {
    /// The kind of storage with the settings of that kind.
    #[serde(flatten)]
    pub kind: StorageKind,
    /// Path prefix of the symbols; an empty one means the root.
    pub prefix: String,
}

impl Default for SourceConfig {
    fn default() -> Self {
        let StorageConfig { kind, prefix, .. } = StorageConfig::default();
        Self { kind, prefix }
    }
}

/// The kinds of storage, each with its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[expect(
    clippy::large_enum_variant,
    reason = "there are as many as storages, read once"
)]
pub enum StorageKind {
    /// A directory of this machine.
    Disk(DiskConfig),
    /// A bucket of Amazon S3, or of a store that speaks its protocol.
    S3(S3Config),
}

impl Default for StorageKind {
    fn default() -> Self {
        Self::Disk(DiskConfig::default())
    }
}

impl StorageKind {
    /// Every kind with the defaults of its settings.
    #[must_use]
    pub fn all() -> [Self; 2] {
        [
            Self::Disk(DiskConfig::default()),
            Self::S3(S3Config::default()),
        ]
    }

    /// The value of the setting `kind`.
    fn name(&self) -> &'static str {
        match self {
            Self::Disk(_) => "disk",
            Self::S3(_) => "s3",
        }
    }

    fn checks(&self) -> Vec<Check> {
        match self {
            Self::Disk(config) => config.checks(),
            Self::S3(config) => config.checks(),
        }
    }

    /// Reads the settings of the kind that they name. A setting of another kind is refused unless it has its default,
    /// so that a file that lists every setting stays valid.
    fn read(mut settings: Map<String, Value>) -> Result<Self, String> {
        let default = Value::from(Self::default().name());
        let name = settings.remove("kind").unwrap_or(default);
        let all = Self::all();
        let kind = all.iter().find(|kind| name == kind.name()).ok_or_else(|| {
            let names = all.each_ref().map(Self::name).join(" or ");
            format!("there is no such kind of storage, only {names}")
        })?;
        let own = keys_of(kind)?;
        for other in &all {
            for key in keys_of(other)? {
                if own.contains(&key) {
                    continue;
                }
                if let Some(setting) = settings.remove_entry(&key)
                    && other.with(Map::from_iter([setting])).ok().as_ref() != Some(other)
                {
                    let (other, kind) = (other.name(), kind.name());
                    return Err(format!(
                        "{key} is a setting of kind {other}, and kind is {kind}"
                    ));
                }
            }
        }
        kind.with(settings).map_err(|error| error.to_string())
    }

    /// The same kind with these settings, and the defaults of the others.
    fn with(&self, settings: Map<String, Value>) -> serde_json::Result<Self> {
        let settings = Value::Object(settings);
        match self {
            Self::Disk(_) => serde_json::from_value(settings).map(Self::Disk),
            Self::S3(_) => serde_json::from_value(settings).map(Self::S3),
        }
    }
}

/// The keys of a kind's settings, without `kind` itself.
fn keys_of(kind: &StorageKind) -> Result<Vec<String>, String> {
    let settings = serde_json::to_value(kind).and_then(serde_json::from_value);
    let settings: Map<String, Value> = settings.map_err(|error| error.to_string())?;
    Ok(settings
        .into_iter()
        .map(|(key, _)| key)
        .filter(|key| key != "kind")
        .collect())
}

// By hand, because a derived one would refuse every setting of another kind, even in a file that lists all defaults.
impl<'de> Deserialize<'de> for StorageKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Map::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

const PREFIX_RULE: &str =
    "must be a path such as v1 or try/v1, without empty parts or parts that begin with a dot";

impl Section for StorageConfig {
    fn violations(&self) -> Vec<Violation> {
        let mut checks = self.kind.checks();
        checks.extend([
            ("prefix", is_prefix(&self.prefix), PREFIX_RULE),
            ("try_prefix", is_prefix(&self.try_prefix), PREFIX_RULE),
            (
                "try_prefix",
                self.prefix != self.try_prefix,
                "is the same as storage.prefix, so try symbols would be regular ones",
            ),
        ]);
        let mut found = violations("storage", &checks);
        for (number, source) in self.sources.iter().enumerate() {
            let mut checks = source.kind.checks();
            let is_good = source.prefix.is_empty() || is_prefix(&source.prefix);
            checks.push(("prefix", is_good, PREFIX_RULE));
            found.extend(violations(&format!("storage.sources[{number}]"), &checks));
        }
        found
    }
}

fn is_prefix(prefix: &str) -> bool {
    prefix
        .split('/')
        .all(|part| !part.starts_with('.') && check_name(part).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StorageConfig, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn violations_are_reported_with_their_place() {
        let config = StorageConfig {
            kind: StorageKind::S3(S3Config {
                endpoint: "localhost:9000".to_owned(),
                ..S3Config::default()
            }),
            sources: vec![SourceConfig {
                kind: StorageKind::Disk(DiskConfig {
                    directory: String::new(),
                }),
                prefix: "/".to_owned(),
            }],
            ..StorageConfig::default()
        };
        let keys: Vec<_> = config
            .violations()
            .into_iter()
            .map(|violation| violation.key)
            .collect();
        assert_eq!(
            keys,
            [
                "storage.bucket",
                "storage.endpoint",
                "storage.sources[0].directory",
                "storage.sources[0].prefix"
            ]
        );
        assert!(StorageConfig::default().violations().is_empty());
    }

    #[test]
    fn every_kind_reads_what_it_writes() {
        for kind in StorageKind::all() {
            let config = StorageConfig {
                kind,
                ..StorageConfig::default()
            };
            let text = toml::to_string(&config).unwrap();
            assert!(text.contains(&format!("kind = \"{}\"", config.kind.name())));
            assert_eq!(read(&text), Ok(config));
        }
    }

    #[test]
    fn a_setting_of_another_kind_is_refused_unless_it_has_its_default() {
        assert_eq!(
            read("bucket = \"\"\n[s3]\npart_size = \"16 MiB\""),
            Ok(StorageConfig::default())
        );
        for (text, message) in [
            (
                "bucket = \"x\"",
                "bucket is a setting of kind s3, and kind is disk",
            ),
            (
                "[s3]\nlookup = \"9s\"",
                "s3 is a setting of kind s3, and kind is disk",
            ),
            (
                "kind = \"s3\"\ndirectory = \"x\"",
                "directory is a setting of kind disk, and kind is s3",
            ),
            (
                "kind = \"tape\"",
                "there is no such kind of storage, only disk or s3",
            ),
            (
                "buckt = \"x\"",
                "unknown field `buckt`, expected `directory`",
            ),
            (
                "[[sources]]\ntry_prefix = \"x\"",
                "unknown field `try_prefix`, expected `directory`",
            ),
            (
                "[[sources]]\nsources = []",
                "unknown field `sources`, expected `directory`",
            ),
        ] {
            assert_eq!(read(text), Err(message.to_owned()), "{text}");
        }
    }
}
