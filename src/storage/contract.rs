//! The contracts of object sources and of storages, as tests that each kind runs.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use symbols::{Md5, Sha256};

use super::{Fetched, Inventory, Listed, ObjectMeta, ObjectSource, Part, Payload, SetAside};
use super::{Storage, StorageError};

const PATH: &str = "v1/xul.pdb/44E4EC8C2F41492B9369D6B9A059577C2/xul.sym";

/// Runs the suite of object sources on one that reads what `writer` stores; `writer` is empty.
pub(crate) async fn check_source(source: &dyn ObjectSource, writer: &dyn Storage) {
    absence_is_not_an_error(source).await;
    bytes_and_metadata_come_back(source, writer).await;
    an_open_reader_keeps_its_version(source, writer).await;
    unusual_names_are_kept_apart(source, writer).await;
    empty_and_large_objects(source, writer).await;
    ranges_are_read_as_far_as_the_object_reaches(source, writer).await;
    addresses_are_urls(source).await;
    source.check().await.unwrap();
}

/// Runs the suite of inventories on one that walks what `writer` stores; `writer` is empty.
pub(crate) async fn check_inventory(inventory: &dyn Inventory, writer: &dyn Storage) {
    an_empty_folder_has_no_entries(inventory).await;
    everything_below_a_folder_is_listed_once(inventory, writer).await;
    what_is_set_aside_is_absent_and_kept(inventory, writer).await;
    a_copy_that_was_replaced_is_not_touched(inventory, writer).await;
}

/// Runs the suite of object sources, and that of storages on top, on an empty storage.
pub(crate) async fn check_storage(storage: &dyn Storage) {
    check_source(storage, storage).await;
    an_object_is_replaced_as_a_whole(storage).await;
    a_removed_object_is_absent(storage).await;
}

async fn read(source: &dyn ObjectSource, path: &str) -> Bytes {
    let fetched = source
        .fetch(path, None)
        .await
        .unwrap()
        .expect("the object is there");
    let stored_size = fetched.info.stored_size;
    let bytes = bytes_of(fetched).await.unwrap();
    assert_eq!(bytes.len() as u64, stored_size);
    bytes.into()
}

/// Reads an object to its end.
pub(super) async fn bytes_of(fetched: Fetched) -> Result<Vec<u8>, StorageError> {
    let pieces: Vec<_> = fetched.bytes.into_stream().try_collect().await?;
    Ok(pieces.concat())
}

async fn put(storage: &dyn Storage, path: &str, bytes: &[u8]) {
    storage
        .put(
            path,
            Bytes::copy_from_slice(bytes).into(),
            ObjectMeta::default(),
        )
        .await
        .unwrap();
}

async fn absence_is_not_an_error(source: &dyn ObjectSource) {
    assert_eq!(source.head("v1/none/AB/none.sym").await.unwrap(), None);
    assert!(
        source
            .fetch("v1/none/AB/none.sym", None)
            .await
            .unwrap()
            .is_none()
    );
}

async fn bytes_and_metadata_come_back(source: &dyn ObjectSource, writer: &dyn Storage) {
    let meta = ObjectMeta {
        is_gzipped: true,
        content_type: Some("text/plain".to_owned()),
        original_size: Some(1 << 40),
        original_md5: Md5::parse("d41d8cd98f00b204e9800998ecf8427e"),
        original_sha256: Sha256::parse(&"e3b0c442".repeat(8)),
    };
    let payload = Payload::new(vec![
        Part::Memory(Bytes::from_static(b"in ")),
        Part::Memory(Bytes::from_static(b"two parts")),
    ]);
    writer.put(PATH, payload, meta.clone()).await.unwrap();
    let info = source
        .head(PATH)
        .await
        .unwrap()
        .expect("it was just stored");
    assert_eq!((info.meta, info.stored_size), (meta, 12));
    assert_eq!(read(source, PATH).await, "in two parts");
}

async fn an_object_is_replaced_as_a_whole(storage: &dyn Storage) {
    put(storage, PATH, b"longer than the next one").await;
    put(storage, PATH, b"short").await;
    assert_eq!(read(storage, PATH).await, "short");
    assert_eq!(
        storage.head(PATH).await.unwrap().unwrap().meta,
        ObjectMeta::default()
    );
}

async fn an_open_reader_keeps_its_version(source: &dyn ObjectSource, writer: &dyn Storage) {
    put(writer, PATH, b"first").await;
    let fetched = source.fetch(PATH, None).await.unwrap().unwrap();
    put(writer, PATH, b"second version").await;
    let bytes = bytes_of(fetched).await.unwrap();
    assert_eq!(bytes, b"first");
}

async fn unusual_names_are_kept_apart(source: &dyn ObjectSource, writer: &dyn Storage) {
    let names = [
        "c++filt",
        "a b",
        "汉.pdb",
        "~",
        "q?x=1&y",
        "100:2",
        "@;=,$()*!",
        "A",
        "a",
    ];
    for name in names {
        put(writer, &format!("v1/{name}/AB/{name}"), name.as_bytes()).await;
    }
    for name in names {
        assert_eq!(read(source, &format!("v1/{name}/AB/{name}")).await, name);
    }
}

async fn empty_and_large_objects(source: &dyn ObjectSource, writer: &dyn Storage) {
    put(writer, PATH, b"").await;
    assert!(read(source, PATH).await.is_empty());
    let large: Vec<u8> = (0..1_000_003_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect();
    put(writer, PATH, &large).await;
    assert_eq!(read(source, PATH).await, large);
}

async fn ranges_are_read_as_far_as_the_object_reaches(
    source: &dyn ObjectSource,
    writer: &dyn Storage,
) {
    let whole: Vec<u8> = (0..600_000_u32)
        .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    put(writer, PATH, &whole).await;
    let size = whole.len();
    for (wanted, given) in [
        (0..1, 0..1),
        (0..size, 0..size),
        (1..size - 1, 1..size - 1),
        (262_143..262_145, 262_143..262_145),
        (size - 1..size, size - 1..size),
        (300_000..size + 7, 300_000..size),
        (size..size + 1, size..size),
        (size + 5..size + 9, size..size),
    ] {
        let range = Some(wanted.start as u64..wanted.end as u64);
        let fetched = source.fetch(PATH, range).await.unwrap().unwrap();
        assert_eq!(fetched.info.stored_size, size as u64, "{wanted:?}");
        assert_eq!(fetched.range, given.start as u64..given.end as u64);
        let bytes = bytes_of(fetched).await.unwrap();
        assert!(bytes == whole[given], "{wanted:?}");
    }
    let absent = source.fetch("v1/none/AB/none.sym", Some(0..9)).await;
    assert!(absent.unwrap().is_none());
}

async fn a_removed_object_is_absent(storage: &dyn Storage) {
    let (path, other) = (".waiting/one", ".waiting/other");
    put(storage, path, b"first").await;
    put(storage, other, b"other").await;
    let open = storage.fetch(path, None).await.unwrap().unwrap();
    for _ in 0..2 {
        storage.delete(path).await.unwrap();
        assert_eq!(storage.head(path).await.unwrap(), None);
    }
    let bytes = bytes_of(open).await.unwrap();
    assert_eq!(bytes, b"first");
    assert_eq!(read(storage, other).await, "other");
    put(storage, path, b"second").await;
    assert_eq!(read(storage, path).await, "second");
}

async fn addresses_are_urls(source: &dyn ObjectSource) {
    let Some(address) = source.address("v1/a b+ü.pdb/AB/汉?.sym").await.unwrap() else {
        return;
    };
    assert!(address.url.starts_with("http"), "{}", address.url);
    let path = "/v1/a%20b%2B%C3%BC.pdb/AB/%E6%B1%89%3F.sym";
    assert!(address.url.contains(path), "{}", address.url);
}

async fn list(inventory: &dyn Inventory, folder: &str) -> Vec<Listed> {
    inventory.list(folder).try_collect().await.unwrap()
}

async fn an_empty_folder_has_no_entries(inventory: &dyn Inventory) {
    assert_eq!(list(inventory, "v1").await, []);
}

/// More objects than a page of any storage has.
const MANY: usize = 1_050;

async fn everything_below_a_folder_is_listed_once(inventory: &dyn Inventory, writer: &dyn Storage) {
    let below = |number| format!("walked/a b&c+{}/AB{number}/汉.sym", number % 7);
    let mut expected: Vec<String> = (0..MANY).map(below).collect();
    let beside = ["walked2/a/AB/a.sym", "other/walked/AB/a.sym", "walked.sym"];
    let all = expected.iter().map(String::as_str).chain(beside);
    stream::iter(all)
        .for_each_concurrent(16, |path| put(writer, path, path.as_bytes()))
        .await;
    let listed = list(inventory, "walked").await;
    let mut paths: Vec<_> = listed.iter().map(|entry| entry.path.clone()).collect();
    paths.sort_unstable();
    expected.sort_unstable();
    assert_eq!(paths, expected);
    let entry = &listed[0];
    let info = inventory.head(&entry.path).await.unwrap().unwrap();
    assert!(entry.size >= info.stored_size);
    let difference = entry.modified_at - info.modified_at;
    assert!(
        difference.abs() < time::Duration::seconds(1),
        "{difference}"
    );
}

async fn what_is_set_aside_is_absent_and_kept(inventory: &dyn Inventory, writer: &dyn Storage) {
    let path = "aside/c++filt 100%.pdb/AB/a b.sym";
    for bytes in [b"first".as_slice(), b"and second"] {
        put(writer, path, bytes).await;
        let listed = list(inventory, "aside").await.remove(0);
        let moved = inventory.set_aside(&listed).await.unwrap();
        let SetAside::At(kept) = moved else {
            panic!("nobody replaced it")
        };
        assert_eq!(kept, format!(".damaged/{path}"));
        assert_eq!(inventory.head(path).await.unwrap(), None);
        assert_eq!(list(inventory, "aside").await, []);
        assert_eq!(read(inventory, &kept).await, bytes);
        let again = inventory.set_aside(&listed).await.unwrap();
        assert_eq!(again, SetAside::Replaced, "it has gone");
    }
}

async fn a_copy_that_was_replaced_is_not_touched(inventory: &dyn Inventory, writer: &dyn Storage) {
    let path = "replaced/a.pdb/AB/a.sym";
    put(writer, path, b"damaged").await;
    let listed = list(inventory, "replaced").await.remove(0);
    put(writer, path, b"stored anew").await;
    let moved = inventory.set_aside(&listed).await.unwrap();
    assert_eq!(moved, SetAside::Replaced);
    assert_eq!(read(inventory, path).await, "stored anew");
}
