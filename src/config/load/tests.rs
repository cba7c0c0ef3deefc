//! What is put together, and what is told of what is wrong.

use std::io::Write;

use super::*;

fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let name = file.path().display().to_string();
    load(Some(file.path()), environment).map_err(|error| error.to_string().replace(&name, "FILE"))
}

#[test]
fn the_default_file_lists_every_setting_with_its_default() {
    let text = include_str!("../../../config/default.toml");
    assert_eq!(load_text(text, &[]).unwrap(), Config::default());
    let table: Table = text.parse().unwrap();
    let mut keys = Vec::new();
    list_keys(&every_setting(), "", &mut keys);
    for key in &keys {
        let path: Vec<_> = key.split('.').map(str::to_owned).collect();
        assert!(
            get(&table, &path).is_some(),
            "config/default.toml lacks {key}"
        );
    }
    let settings = text.lines().filter(|line| line.contains(" = ")).count();
    assert_eq!(
        settings,
        keys.len(),
        "config/default.toml has each setting once"
    );
}

#[test]
fn the_example_for_many_machines_is_valid() {
    let text = include_str!("../../../config/production.example.toml");
    let config = load_text(text, &[]).unwrap();
    assert!(!config.database.is_embedded() && !config.cache.redis_url.is_empty());
}

#[test]
fn what_takes_effect_can_be_read_back() {
    let config = load_text("[upload]\nsize = \"3 GiB\"\nidle = \"7s\"", &[]).unwrap();
    assert_eq!(load_text(&config.to_toml(), &[]).unwrap(), config);
}

#[test]
fn further_places_are_sections_of_their_own() {
    let text = "[storage]\nprefix = \"v2\"\n\
        [[storage.sources]]\nkind = \"s3\"\nbucket = \"one\"\n[storage.sources.s3]\nlookup = \"4s\"\n\
        [[storage.sources]]\ndirectory = \"/two\"\nprefix = \"\"\n";
    let config = load_text(text, &[]).unwrap();
    assert_eq!(config.storage.prefix, "v2");
    let [one, two] = &config.storage.sources[..] else {
        panic!("two places: {config:?}");
    };
    let (StorageKind::S3(bucket), StorageKind::Disk(disk)) = (&one.kind, &two.kind) else {
        panic!("a bucket and a directory: {config:?}");
    };
    assert_eq!((bucket.bucket.as_str(), one.prefix.as_str()), ("one", "v1"));
    assert_eq!((disk.directory.as_str(), two.prefix.as_str()), ("/two", ""));
    assert_eq!(load_text(&config.to_toml(), &[]).unwrap(), config);
    let error = load_text(&text.replace("bucket", "buckt"), &[]).unwrap_err();
    assert!(
        error.contains("storage.sources (from FILE) cannot be"),
        "{error}"
    );
    assert!(error.contains("unknown field `buckt`"), "{error}");
}

#[test]
fn settings_of_another_kind_of_storage_are_found() {
    let config = load_text(
        "[storage]\nkind = \"s3\"",
        &[("SYMBOLD_STORAGE__BUCKET", "one")],
    );
    assert!(matches!(config.unwrap().storage.kind, StorageKind::S3(s3) if s3.bucket == "one"));
    let text =
        "[storage]\nbucket = \"one\"\n[storage.s3]\nlookup = \"9s\"\n[upload]\nlevel = \"x\"";
    let error = load_text(text, &[("SYMBOLD_STORAGE__ACCESS", "proxy")]).unwrap_err();
    for expected in [
        "storage.bucket (from FILE) cannot be \"one\": bucket is a setting of kind s3, and kind is disk",
        "storage.s3.lookup (from FILE) cannot be \"9s\": s3 is a setting of kind s3, and kind is disk",
        "storage.access (from environment variable SYMBOLD_STORAGE__ACCESS) cannot be \"proxy\": access is a setting",
        "upload.level (from FILE) cannot be \"x\"",
    ] {
        assert!(error.contains(expected), "{expected} is not in {error}");
    }
    let error = load_text(
        &format!("{text}\n").replace("[storage]", "[storage]\nkind = \"tape\""),
        &[],
    );
    let error = error.unwrap_err();
    assert!(
        error.contains(
            "storage.kind (from FILE) cannot be \"tape\": there is no such kind of storage"
        ),
        "{error}"
    );
    assert_eq!(error.lines().count(), 3, "the kind and the level: {error}");
    let error = load_text("[storage]\nkind = \"s3\"\nbuket = \"one\"", &[]).unwrap_err();
    assert!(error.contains("did you mean storage.bucket?"), "{error}");
    assert!(
        error.contains("storage.bucket (from the configuration as a whole) names no bucket"),
        "{error}"
    );
}

#[test]
fn the_environment_wins_over_the_file_and_numbers_stay_text_where_text_is_meant() {
    let environment = [
        ("SYMBOLD_STORAGE__PREFIX", "12345"),
        ("SYMBOLD_UPLOAD__SLOTS", "3"),
        ("SYMBOLD_DOWNLOAD__SERVE", ".sym, .pdb"),
        ("SYMBOLD_UPLOAD__ARCHIVE__ENTRIES", "7"),
        ("SYMBOLD_LOG__REQUESTS", "true"),
        ("SYMBOLD_CONFIG", "elsewhere"),
        ("PATH", "/bin"),
    ];
    let config = load_text("[upload]\nslots = 5\nstores = 2", &environment).unwrap();
    assert_eq!(config.storage.prefix, "12345");
    assert_eq!(
        (
            config.upload.slots,
            config.upload.stores,
            config.upload.archive.entries
        ),
        (3, 2, 7)
    );
    assert!(config.download.serve.matches("a.pdb") && config.log.requests);
}

#[test]
fn everything_wrong_is_told_at_once_with_key_source_and_nearest_key() {
    let text = "dta_dir = \"x\"\n[upload]\nsize = \"many\"\nslot = 1\n[server]\nlisten = 8000\nhead = \"x\"\nlog = 1\n";
    let environment = [
        ("SYMBOLD_UPLOAD__SLOTS", "many"),
        ("SYMBOLD_UPLAOD__LEVEL", "3"),
        ("SYMBOLD_QQQ", "1"),
    ];
    let error = load_text(text, &environment).unwrap_err();
    for expected in [
        "dta_dir (from FILE) is not a setting; did you mean data_dir?",
        "upload.size (from FILE) cannot be \"many\"",
        "upload.slot (from FILE) is not a setting; did you mean upload.slots?",
        "server.listen (from FILE) cannot be 8000: invalid type: integer",
        "server.head (from FILE) cannot be \"x\"",
        "server.log (from FILE) is not a setting",
        "upload.slots (from environment variable SYMBOLD_UPLOAD__SLOTS) is not a whole number",
        "uplaod.level (from environment variable SYMBOLD_UPLAOD__LEVEL) is not a setting; did you mean upload.level?",
        "qqq (from environment variable SYMBOLD_QQQ) is not a setting; config/default.toml lists all of them",
    ] {
        assert!(error.contains(expected), "{expected} is not in {error}");
    }
    assert_eq!(error.lines().count(), 10, "{error}");
}

#[test]
fn contradictions_and_broken_files() {
    let error = load_text(
        "[upload]\nlevel = 12\n[storage]\ntry_prefix = \"v1\"\nprefix = \"../v1\"",
        &[],
    )
    .unwrap_err();
    assert!(
        error.contains("upload.level") && error.contains("storage.prefix"),
        "{error}"
    );
    let error = load_text(
        "[cache]\nredis_url = \"http://:secret@h\"\nnamespace = \"a b\"\nuncoordinated_for = \"1ms\"",
        &[],
    )
    .unwrap_err();
    assert_eq!(error.lines().count(), 4, "{error}");
    assert!(
        error.contains("cache.redis_url") && !error.contains("secret"),
        "{error}"
    );
    assert!(
        load_text("upload = 3", &[])
            .unwrap_err()
            .contains("is a section, not a value")
    );
    assert!(load_text("][", &[]).unwrap_err().contains("is not TOML"));
    let missing = load(Some(Path::new("/nonexistent/symbold.toml")), [])
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("/nonexistent/symbold.toml) cannot be read"),
        "{missing}"
    );
}
