//! The service with a storage that never ends what it sends.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use bytesize::ByteSize;
use futures_util::{StreamExt, stream};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::timeout;

use super::*;
use crate::auth::{AuthService, Grant, Permission, TokenRequest};
use crate::cache::{CacheConfig, MemoFactory};
use crate::catalog::{Layout, UploadTarget};
use crate::clock::{ManualClock, SharedClock};
use crate::cpu::CpuPool;
use crate::db::SqliteDatabase;
use crate::metrics::Metrics;
use crate::scratch::Scratch;
use crate::storage::{
    Address, Fetched, ObjectBytes, ObjectInfo, ObjectMeta, ObjectSource, ObjectStream, Storage,
    StorageError,
};
use crate::upload::{Refusal, UploadConfig, UploadParts};

const NOW: OffsetDateTime = datetime!(2026-11-23 10:00 UTC);

/// The largest file that may be uploaded.
const LARGEST: ByteSize = ByteSize::b(99);

/// How the body of every object goes on after its first bytes.
#[derive(Clone, Copy, Debug)]
enum Body {
    Stalls,
    Repeats,
}

/// Says of every object that it has ten bytes, and never ends its body.
#[derive(Debug)]
struct Endless(Body);

impl Endless {
    fn bytes(&self) -> ObjectStream {
        let piece = || Ok(Bytes::from_static(b"0123456789"));
        match self.0 {
            Body::Stalls => stream::once(async move { piece() })
                .chain(stream::pending())
                .boxed(),
            Body::Repeats => stream::repeat_with(piece).boxed(),
        }
    }
}

#[async_trait]
impl ObjectSource for Endless {
    fn name(&self) -> &'static str {
        "endless"
    }

    fn location(&self) -> &'static str {
        "endless"
    }

    async fn head(&self, _: &str) -> Result<Option<ObjectInfo>, StorageError> {
        Ok(None)
    }

    async fn fetch(&self, _: &str, _: Option<Range<u64>>) -> Result<Option<Fetched>, StorageError> {
        let info = ObjectInfo {
            meta: ObjectMeta::default(),
            stored_size: 10,
            modified_at: NOW,
            version: None,
            inode: None,
        };
        Ok(Some(Fetched {
            info,
            range: 0..10,
            bytes: ObjectBytes::Stream(self.bytes()),
        }))
    }

    async fn address(&self, _: &str) -> Result<Option<Address>, StorageError> {
        Ok(None)
    }

    async fn check(&self) -> Result<(), StorageError> {
        Ok(())
    }
}

#[async_trait]
impl Storage for Endless {
    async fn put(&self, _: &str, _: Payload, _: ObjectMeta) -> Result<(), StorageError> {
        Ok(())
    }

    async fn make_durable(&self, _: &str) -> Result<(), StorageError> {
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<(), StorageError> {
        Ok(())
    }
}

struct Office {
    breakpad: BreakpadService,
    uploader: Uploader,
    _folder: TempDir,
}

impl Office {
    async fn with(body: Body) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&folder.path().join("records")).await;
        let database = Arc::new(database.unwrap());
        let clock: SharedClock = Arc::new(ManualClock::at(NOW));
        let metrics = Metrics::default();
        let storage: Arc<dyn Storage> = Arc::new(Endless(body));
        let target = |prefix| UploadTarget::new(Arc::clone(&storage), Layout::breakpad(prefix));
        let catalog = Arc::new(Catalog::new(
            target(""),
            Vec::new(),
            target("try"),
            Arc::clone(&database) as _,
            Arc::clone(&database) as _,
            &MemoFactory::new(&CacheConfig::default(), None, &metrics, &clock),
            Background::current(),
        ));
        let parts = UploadParts {
            serve: SuffixList::new(&[".sym"]),
            scratch: Arc::new(Scratch::open(&folder.path().join("scratch")).unwrap()),
            catalog: Arc::clone(&catalog),
            database: Arc::clone(&database) as _,
            cpu: CpuPool::new(1).unwrap(),
            background: Background::current(),
            prebuild: None,
            clock: Arc::clone(&clock),
            metrics,
        };
        let config = UploadConfig {
            size: LARGEST,
            ..UploadConfig::default()
        };
        let uploads = UploadService::new(config, parts).unwrap();
        let records = Arc::clone(&database) as _;
        let staged = StagedFiles::new(Arc::clone(&catalog), records, Arc::clone(&clock));
        let auth = AuthService::new(database, clock);
        let secret = auth.create(TokenRequest {
            email: "ci@example.com".to_owned(),
            permissions: vec![Permission::UploadSymbols],
            days: 1,
            note: String::new(),
        });
        let secret = secret.await.unwrap();
        let principal = auth.authenticate(Some(secret.reveal())).await.unwrap();
        Self {
            breakpad: BreakpadService::new(
                Arc::new(uploads),
                Arc::new(staged),
                catalog,
                SuffixList::new(&[".sym"]),
                Background::current(),
            ),
            uploader: Uploader::from_principal(principal).unwrap(),
            _folder: folder,
        }
    }

    /// Begins an upload and completes it, within a day.
    async fn complete(&self) -> Result<Completed, BreakpadError> {
        let key = self
            .breakpad
            .create(&self.uploader, Ok(None))
            .await
            .unwrap();
        let described = async { Ok(Described::breakpad("app", "AB0")) };
        let completing = self
            .breakpad
            .complete(self.uploader.clone(), key, described);
        let day = Duration::from_hours(24);
        timeout(day, completing).await.expect("a bound of time")
    }
}

#[tokio::test(start_paused = true)]
async fn a_staged_file_that_stops_coming_is_given_up() {
    let office = Office::with(Body::Stalls).await;
    let error = office.complete().await.unwrap_err();
    assert!(error.is_ours(), "{error}");
    assert_eq!(error.code(), "storage_unavailable");
    assert!(!is_settled(&Err(error)), "the file can be completed later");
}

#[tokio::test]
async fn no_more_of_a_staged_file_is_read_than_may_be_uploaded_whatever_the_storage_says() {
    let office = Office::with(Body::Repeats).await;
    let error = office.complete().await.unwrap_err();
    let too_large = UploadError::Receive(ReceiveError::TooLarge(LARGEST));
    assert_eq!(error.to_string(), too_large.to_string());
}
