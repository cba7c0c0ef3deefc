//! What symbold answers and stores beside what Tecken did, and where they may differ.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Answer;
use super::exchange::Exchange;
use crate::support::{App, bytes_of};

/// Cases whose status differs, with symbold's. Each has a row in docs/compatibility.md.
pub(super) const OTHER_STATUS: &[(&str, u16)] = &[
    ("031-upload-bzip2", 400),
    ("035-upload-trailing-zip", 400),
    ("043-upload-encrypted", 400),
    ("045-upload-field-name-no-zip", 201),
    ("057-upload-dotdot", 400),
    ("061-upload-longkey290", 400),
    ("067-upload-no-slash", 201),
    ("089-url-redirect-to-http", 400),
    ("103-url-502", 502),
    ("105-url-429", 502),
    ("107-url-refused", 502),
    ("109-url-no-length", 201),
    ("121-get-stored-lowercase-id", 200),
    ("157-double-slash", 200),
    ("187-codeid-lower", 302),
    ("203-get-wrong-token", 200),
    ("219-syminfo-lower", 200),
    ("225-nobucket-get", 503),
    ("229-s3down-head", 503),
    ("249-cache-stale-302", 404),
];

/// Cases whose body differs.
pub(super) const OTHER_BODY: &[&str] = &[
    "013-upload-same-size-other-bytes",
    "079-auth-header-lower",
    "085-auth-info-no-permission",
    "159-long-id",
    "031-upload-bzip2",
    "035-upload-trailing-zip",
    "043-upload-encrypted",
    "053-upload-bad-char",
    "057-upload-dotdot",
    "061-upload-longkey290",
    "077-auth-no-permission",
    "111-url-wrong-ext",
];

/// Cases whose redirect leads elsewhere.
const OTHER_LOCATION: &[&str] = &["197-codeid-other-file"];

/// Every object that Tecken stored is there: at the same path but for the id's letter case, with the same metadata, and
/// with the same bytes once inflated.
pub(super) async fn compare_stored(app: &App, exchange: &Exchange) -> Result<(), String> {
    if OTHER_STATUS.iter().any(|(case, _)| *case == exchange.name) {
        return Ok(());
    }
    for theirs in &exchange.stored {
        let path = with_upper_case_id(theirs["key"].as_str().unwrap());
        let Some(fetched) = app.storage.fetch(&path, None).await.unwrap() else {
            return Err(format!("{path} was not stored"));
        };
        let meta = fetched.info.meta.clone();
        let bytes = bytes_of(fetched).await;
        let mut plain = Vec::new();
        if meta.is_gzipped {
            GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
        } else {
            plain = bytes;
        }
        let ours = json!({
            "ContentEncoding": meta.is_gzipped.then_some("gzip"),
            "plain_sha256": hex::encode(Sha256::digest(&plain)),
        });
        compare_members(&["ContentEncoding", "plain_sha256"], theirs, &ours)?;
        let ours = json!({
            "original_size": meta.original_size.map(|size| size.to_string()),
            "original_md5_hash": meta.original_md5,
        });
        for name in ["original_size", "original_md5_hash"] {
            // Tecken keeps neither of files that it stores as they are, and no size of empty ones.
            if !theirs["Metadata"][name].is_null() {
                compare_members(&[name], &theirs["Metadata"], &ours)?;
            }
        }
    }
    Ok(())
}

fn compare_members(names: &[&str], theirs: &Value, ours: &Value) -> Result<(), String> {
    for name in names {
        if theirs[name] != ours[name] {
            return Err(format!(
                "{name} is {} instead of {}",
                ours[name], theirs[name]
            ));
        }
    }
    Ok(())
}

/// `<prefix>/<debug file>/<id>/<file>` with the id in upper case.
fn with_upper_case_id(path: &str) -> String {
    let mut parts: Vec<_> = path.split('/').map(str::to_owned).collect();
    let id = parts.len() - 2;
    parts[id] = parts[id].to_ascii_uppercase();
    parts.join("/")
}

pub(super) fn compare(exchange: &Exchange, answer: &Answer) -> Result<(), String> {
    let name = exchange.name.as_str();
    let other = OTHER_STATUS.iter().find(|(case, _)| *case == name);
    let target = exchange.headers.get("location");
    let leads_to_bucket = target.is_some_and(|target| !target.starts_with('/'));
    // A disk's files are sent by the server itself, where Tecken redirects to its bucket.
    let recorded = if leads_to_bucket && exchange.status == 302 {
        200
    } else {
        exchange.status
    };
    let expected = other.map_or(recorded, |(_, status)| *status);
    if answer.status != expected {
        return Err(format!(
            "{} instead of {expected}: {}",
            answer.status, answer.body
        ));
    }
    for header in ["allow", "access-control-allow-origin", "location"] {
        let (theirs, ours) = (exchange.headers.get(header), answer.headers.get(header));
        let lacks = theirs
            .filter(|_| header != "location" || !leads_to_bucket)
            .filter(|_| header != "location" || !OTHER_LOCATION.contains(&name))
            .is_some_and(|theirs| !ours.is_some_and(|ours| ours.starts_with(theirs.as_str())));
        if lacks && expected == exchange.status {
            return Err(format!("{header} is {ours:?} instead of {theirs:?}"));
        }
    }
    if OTHER_BODY.contains(&name) || expected != recorded || exchange.body.is_empty() {
        return Ok(());
    }
    match serde_json::from_str::<Value>(&exchange.body) {
        Ok(theirs) => compare_json(
            &theirs,
            &serde_json::from_str(&answer.body).unwrap_or_default(),
        ),
        Err(_) if answer.headers.contains_key("etag") => Ok(()),
        Err(_) if answer.body == exchange.body || answer.body.is_empty() => Ok(()),
        Err(_) => Err(format!("{:?} instead of {:?}", answer.body, exchange.body)),
    }
}

/// Every member that Tecken has is there, with the same value unless it changes from run to run.
fn compare_json(theirs: &Value, ours: &Value) -> Result<(), String> {
    const VOLATILE: [&str; 5] = [
        "id",
        "created_at",
        "completed_at",
        "bucket",
        "token_expires_at",
    ];
    let Value::Object(members) = theirs else {
        let same = sorted(theirs) == sorted(ours);
        return if same {
            Ok(())
        } else {
            Err(format!("{ours} instead of {theirs}"))
        };
    };
    for (name, value) in members {
        let Some(our_value) = ours.get(name) else {
            return Err(format!("lacks {name}"));
        };
        if VOLATILE.contains(&name.as_str()) {
            if our_value.is_null() != value.is_null() {
                return Err(format!("{name} is {our_value}"));
            }
        } else {
            compare_json(value, our_value).map_err(|difference| format!("{name}: {difference}"))?;
        }
    }
    Ok(())
}

fn sorted(value: &Value) -> Value {
    let Value::Array(items) = value else {
        return value.clone();
    };
    let mut items = items.clone();
    items.sort_by_key(ToString::to_string);
    Value::Array(items)
}
