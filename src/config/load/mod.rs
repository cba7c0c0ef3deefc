//! Putting a configuration together.
//!
//! The defaults, written as a TOML table, are the list of valid keys and of the types of their values. Every setting
//! of the file and of the environment is tried on the defaults alone, so that each problem is found and reported by
//! itself.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, ConfigError, Problem};
use crate::storage::StorageKind;

/// The prefix of environment variables for settings.
const PREFIX: &str = "SYMBOLD_";

/// Variables with this beginning that are no settings.
const RESERVED: [&str; 3] = ["SYMBOLD_CONFIG", "SYMBOLD_TOKEN", "SYMBOLD_COMMIT"];

/// How alike two keys must be for one to be suggested for the other.
const ALIKE: f64 = 0.7;

/// One value that was set, in the file or by a variable.
struct Setting {
    path: Vec<String>,
    value: Value,
    source: String,
}

impl Setting {
    fn key(&self) -> String {
        self.path.join(".")
    }

    fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.key(), &self.source, message)
    }
}

/// Loads the configuration from a file, if one is given, and from variables of the environment.
///
/// # Errors
/// Everything that is wrong with either, at once.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let defaults = every_setting();
    let mut problems = Vec::new();
    let mut settings = Vec::new();
    if let Some(file) = file {
        match read_file(file) {
            Ok(table) => collect(
                &defaults,
                table,
                &mut Vec::new(),
                &file.display().to_string(),
                &mut settings,
                &mut problems,
            ),
            Err(problem) => problems.push(problem),
        }
    }
    for (name, value) in environment {
        if name.starts_with(PREFIX) && !RESERVED.contains(&name.as_str()) {
            match read_variable(&defaults, &name, &value) {
                Ok(setting) => settings.push(setting),
                Err(problem) => problems.push(problem),
            }
        }
    }
    let base = with_kind(&defaults, &settings).unwrap_or_else(|problem| {
        problems.push(problem);
        settings.retain(|setting| setting.path[0] != "storage");
        defaults
    });
    let mut effective = base.clone();
    for setting in settings {
        match try_on(&base, &setting) {
            Ok(()) => set(&mut effective, &setting),
            Err(problem) => problems.push(problem),
        }
    }
    finish(effective, problems)
}

/// Every setting with its default. [`Config`] has those of one kind of storage, the table those of all.
fn every_setting() -> Table {
    const FORM: &str = "every setting has a form in TOML";
    let mut settings = Table::try_from(Config::default()).expect(FORM);
    if let Some(Value::Table(storage)) = settings.get_mut("storage") {
        for kind in StorageKind::all() {
            for (key, value) in Table::try_from(kind).expect(FORM) {
                storage.entry(key).or_insert(value);
            }
        }
    }
    settings
}

/// The defaults with the chosen kind of storage, which decides what the other settings of `[storage]` may be.
fn with_kind(defaults: &Table, settings: &[Setting]) -> Result<Table, Problem> {
    let mut base = defaults.clone();
    for setting in settings {
        if setting.path == ["storage", "kind"] {
            try_on(defaults, setting)?;
            set(&mut base, setting);
        }
    }
    Ok(base)
}

fn finish(effective: Table, mut problems: Vec<Problem>) -> Result<Config, ConfigError> {
    match Config::deserialize(effective) {
        Ok(config) => {
            problems.extend(config.problems());
            if problems.is_empty() {
                Ok(config)
            } else {
                Err(ConfigError(problems))
            }
        }
        Err(error) => {
            problems.push(Problem::new(
                "configuration",
                "the file and the environment together",
                error.to_string(),
            ));
            Err(ConfigError(problems))
        }
    }
}

fn read_file(file: &Path) -> Result<Table, Problem> {
    let source = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Problem::new("configuration", &source, format!("cannot be read: {error}"))
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text[..start].lines().count().max(1);
        // Only the message: the error itself would show the line, which may hold a password.
        let message = format!("is not TOML: {} in line {line}", error.message());
        Problem::new("configuration", &source, message)
    })
}

/// Gathers the values of a file, section by section.
fn collect(
    defaults: &Table,
    table: Table,
    section: &mut Vec<String>,
    source: &str,
    settings: &mut Vec<Setting>,
    problems: &mut Vec<Problem>,
) {
    for (key, value) in table {
        section.push(key.clone());
        let setting = Setting {
            path: section.clone(),
            value,
            source: source.to_owned(),
        };
        match (defaults.get(&key), setting.value.clone()) {
            (None, _) => problems.push(unknown(&setting.key(), source)),
            (Some(Value::Table(defaults)), Value::Table(inner)) => {
                collect(defaults, inner, section, source, settings, problems);
            }
            (Some(Value::Table(_)), _) => {
                problems.push(setting.problem("is a section, not a value"));
            }
            (Some(_), _) => settings.push(setting),
        }
        section.pop();
    }
}

/// Reads `SYMBOLD_SECTION__KEY`. The text becomes a value of the kind that the default has.
fn read_variable(defaults: &Table, name: &str, text: &str) -> Result<Setting, Problem> {
    let key = name[PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
    let path: Vec<String> = key.split('.').map(str::to_owned).collect();
    let source = format!("environment variable {name}");
    let default = get(defaults, &path)
        .filter(|value| !value.is_table())
        .ok_or_else(|| unknown(&key, &source))?;
    let problem = |message: &str| Problem::new(&key, &source, message);
    let value = match default {
        Value::Integer(_) => {
            Value::Integer(text.parse().map_err(|_| problem("is not a whole number"))?)
        }
        Value::Boolean(_) => Value::Boolean(
            text.parse()
                .map_err(|_| problem("is neither true nor false"))?,
        ),
        Value::Array(_) => list(text),
        _ => Value::String(text.to_owned()),
    };
    Ok(Setting {
        path,
        value,
        source,
    })
}

/// A list in a variable is separated by commas.
fn list(text: &str) -> Value {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
}

/// Checks that the configuration can have this value.
fn try_on(defaults: &Table, setting: &Setting) -> Result<(), Problem> {
    let mut table = defaults.clone();
    set(&mut table, setting);
    match Config::deserialize(table) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(setting.problem(format!("cannot be {}: {}", setting.value, error.message())))
        }
    }
}

fn get<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (key, inner) = path.split_first()?;
    let value = table.get(key)?;
    if inner.is_empty() {
        Some(value)
    } else {
        get(value.as_table()?, inner)
    }
}

fn set(table: &mut Table, setting: &Setting) {
    let Some((key, sections)) = setting.path.split_last() else {
        return;
    };
    let mut table = table;
    for section in sections {
        let Some(Value::Table(inner)) = table.get_mut(section) else {
            return;
        };
        table = inner;
    }
    table.insert(key.clone(), setting.value.clone());
}

fn unknown(key: &str, source: &str) -> Problem {
    let mut keys = Vec::new();
    list_keys(&every_setting(), "", &mut keys);
    let likeness = |known: &String| strsim::jaro_winkler(known, key);
    let nearest = keys
        .iter()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let message = match nearest.filter(|nearest| likeness(nearest) > ALIKE) {
        Some(nearest) => format!("is not a setting; did you mean {nearest}?"),
        None => "is not a setting; config/default.toml lists all of them".to_owned(),
    };
    Problem::new(key, source, message)
}

fn list_keys(table: &Table, section: &str, keys: &mut Vec<String>) {
    for (key, value) in table {
        let key = if section.is_empty() {
            key.clone()
        } else {
            format!("{section}.{key}")
        };
        match value {
            Value::Table(inner) => list_keys(inner, &key, keys),
            _ => keys.push(key),
        }
    }
}

#[cfg(test)]
mod tests;
