//! Objects that are stored in parts.

use super::stub::Fault;
use super::*;

const LENGTH: usize = 1_000_000;

fn in_parts(config: &mut S3Config) {
    config.requests.parts_from = ByteSize::b(LENGTH as u64 - 1);
    config.requests.part_size = ByteSize::b(300_000);
}

#[tokio::test]
async fn a_large_object_is_put_together_from_its_parts() {
    let (stub, storage) = start_with(in_parts).await;
    let object = bytes(LENGTH);
    let meta = ObjectMeta {
        is_gzipped: true,
        original_size: Some(5),
        ..ObjectMeta::default()
    };
    storage
        .put(PATH, payload(&object), meta.clone())
        .await
        .unwrap();
    assert!(read(&storage).await.unwrap() == object);
    assert_eq!(storage.head(PATH).await.unwrap().unwrap().meta, meta);
    let mut sizes: Vec<_> = stub
        .requests(Call::PutPart)
        .iter()
        .map(|part| (part.parameter("partNumber").to_owned(), part.body.len()))
        .collect();
    sizes.sort();
    let numbered = [
        ("1", 300_000),
        ("2", 300_000),
        ("3", 300_000),
        ("4", 100_000),
    ];
    assert_eq!(
        sizes,
        numbered.map(|(number, size)| (number.to_owned(), size))
    );
    let complete = stub.requests(Call::CompleteParts).remove(0);
    let list = String::from_utf8(complete.body.to_vec()).unwrap();
    let positions: Vec<_> = (1..=4)
        .map(|number| list.find(&format!("<PartNumber>{number}</PartNumber>")))
        .collect();
    assert!(positions.is_sorted() && positions[0].is_some(), "{list}");
    assert!(stub.requests(Call::AbortParts).is_empty());
    assert!(stub.requests(Call::Put).is_empty());
}

#[tokio::test]
async fn every_part_has_its_checksum_where_the_store_takes_it() {
    let with_checksums = |config: &mut S3Config| {
        in_parts(config);
        config.requests.checksum = true;
    };
    let (stub, storage) = start_with(with_checksums).await;
    put(&storage, &bytes(LENGTH)).await.unwrap();
    let begin = stub.requests(Call::BeginParts).remove(0);
    assert_eq!(begin.headers["x-amz-checksum-algorithm"], "CRC32");
    let complete = stub.requests(Call::CompleteParts).remove(0);
    let list = String::from_utf8(complete.body.to_vec()).unwrap();
    for part in stub.requests(Call::PutPart) {
        let checksum = aws_smithy_types::base64::encode(crc32fast::hash(&part.body).to_be_bytes());
        assert_eq!(part.headers["x-amz-checksum-crc32"], checksum);
        assert!(list.contains(&checksum), "{list}");
        assert!(!part.headers.contains_key("content-encoding"));
    }
}

#[tokio::test]
async fn a_part_that_fails_once_is_sent_again() {
    let (stub, storage) = start_with(in_parts).await;
    stub.spoil(Call::PutPart, 2, Fault::Answer(503, "SlowDown"));
    stub.spoil(Call::CompleteParts, 1, Fault::ErrorIn200("InternalError"));
    put(&storage, &bytes(LENGTH)).await.unwrap();
    assert!(stub.object(PATH).unwrap() == bytes(LENGTH));
}

#[tokio::test]
async fn what_fails_leaves_neither_object_nor_parts() {
    for (call, fault) in [
        (Call::PutPart, Fault::Answer(403, "AccessDenied")),
        (Call::PutPart, Fault::Reset),
        (Call::CompleteParts, Fault::Answer(400, "InvalidPart")),
        (Call::CompleteParts, Fault::ErrorIn200("InvalidPart")),
        (Call::CompleteParts, Fault::ErrorIn200("InternalError")),
    ] {
        let (stub, storage) = start_with(in_parts).await;
        stub.spoil_all(call, fault);
        put(&storage, &bytes(LENGTH)).await.unwrap_err();
        stub.wait_for(Call::AbortParts).await;
        assert_eq!(stub.unfinished_uploads(), 0, "{call:?} {fault:?}");
        assert_eq!(stub.object(PATH), None, "{call:?} {fault:?}");
    }
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_leaves_no_parts() {
    let (stub, storage) = start_with(in_parts).await;
    stub.spoil_all(Call::PutPart, Fault::Silence);
    let putting = tokio::spawn(async move { put(&storage, &bytes(LENGTH)).await });
    stub.wait_for(Call::PutPart).await;
    putting.abort();
    stub.wait_for(Call::AbortParts).await;
    assert_eq!(stub.unfinished_uploads(), 0);
}
