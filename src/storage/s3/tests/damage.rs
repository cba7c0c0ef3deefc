//! Objects whose bytes the store has changed.

use md5::Digest as _;

use super::*;
use crate::metrics::Metrics;
use crate::storage::{Checked, Integrity};

fn meta(bytes: &[u8]) -> ObjectMeta {
    ObjectMeta {
        original_sha256: Some(Sha256::new(sha2::Sha256::digest(bytes).into())),
        ..ObjectMeta::default()
    }
}

#[tokio::test]
async fn bytes_that_the_store_changed_are_damage_until_they_are_stored_anew() {
    let (stub, storage) = start().await;
    let integrity = Arc::new(Integrity::new(Metrics::default()));
    let storage = Checked::new(Arc::new(storage), Arc::clone(&integrity));
    let is_damage = |error: &StorageError| assert!(error.is_damage(), "{error}");
    for length in [999, 300_000] {
        let bytes = bytes(length);
        let put = || storage.put(PATH, payload(&bytes), meta(&bytes));
        put().await.unwrap();
        stub.flip(PATH, length / 2);
        let read = async || {
            let fetched = storage.fetch(PATH, None).await?.expect("it is there");
            contract::bytes_of(fetched).await
        };
        is_damage(&read().await.unwrap_err());
        assert!(storage.is_known_damaged(PATH));
        assert_eq!(integrity.damaged_objects(), 1);
        is_damage(&storage.head(PATH).await.unwrap_err());
        is_damage(&storage.fetch(PATH, Some(0..9)).await.unwrap_err());
        put().await.unwrap();
        assert!(!storage.is_known_damaged(PATH));
        assert_eq!(read().await.unwrap(), bytes);
        assert_eq!(integrity.damaged_objects(), 0);
    }
}
