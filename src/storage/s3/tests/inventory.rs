//! Listing a bucket and setting its objects aside.

use futures_util::StreamExt;

use super::stub::Fault;
use super::wire::Call;
use super::*;
use crate::storage::{DAMAGED, Inventory, Listed, SetAside};

#[tokio::test]
async fn keeps_the_contract_of_inventories() {
    let (_stub, storage) = start().await;
    contract::check_inventory(&storage, &storage).await;
}

#[tokio::test]
async fn keeps_the_contract_of_inventories_on_a_real_store() {
    if let Some(storage) = real_store(|_| {}).await {
        contract::check_inventory(&storage, &storage).await;
    }
}

async fn listed(storage: &S3Storage) -> Listed {
    storage.list("v1").next().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_listing_that_breaks_off_says_so() {
    let (stub, storage) = start().await;
    for number in 0..150 {
        stub.store(&format!("v1/a/AB{number}/a.sym"), &[], "text");
    }
    stub.spoil_all(Call::List, Fault::Answer(503, "SlowDown"));
    assert!(storage.list("v1").next().await.unwrap().is_err());
    stub.mend();
    let mut listing = storage.list("v1");
    assert!(listing.next().await.unwrap().is_ok());
    stub.spoil_all(Call::List, Fault::Answer(403, "AccessDenied"));
    let rest: Vec<_> = listing.collect().await;
    let failed = rest.iter().filter(|entry| entry.is_err()).count();
    assert_eq!(
        (rest.len(), failed),
        (100, 1),
        "99 of the first page are left"
    );
}

#[tokio::test]
async fn nothing_is_removed_that_was_not_copied() {
    let (stub, storage) = start().await;
    put(&storage, b"text").await.unwrap();
    let object = listed(&storage).await;
    for fault in [
        Fault::ErrorIn200("InternalError"),
        Fault::Answer(403, "AccessDenied"),
    ] {
        stub.spoil_all(Call::Copy, fault);
        storage.set_aside(&object).await.unwrap_err();
        assert!(stub.object(PATH).is_some() && stub.requests(Call::Delete).is_empty());
        stub.mend();
    }
    stub.spoil(Call::Head, 2, Fault::Answer(403, "AccessDenied"));
    storage.set_aside(&object).await.unwrap_err();
    assert!(stub.object(PATH).is_some());
    stub.spoil(Call::Head, 2, Fault::Answer(404, "NoSuchKey"));
    let replaced = storage.set_aside(&object).await.unwrap();
    assert_eq!(replaced, SetAside::Replaced);
    assert!(stub.requests(Call::Delete).is_empty());
    let moved = storage.set_aside(&object).await.unwrap();
    assert_eq!(moved, SetAside::At(format!("{DAMAGED}/{PATH}")));
    assert!(stub.object(PATH).is_none());
}
