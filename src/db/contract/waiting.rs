//! What every engine must do with waiting files.

use super::{minute, sha256};
use crate::db::Database;
use crate::db::waiting::WaitingFile;

pub(super) async fn check_all(database: &dyn Database) {
    let [a, b, c, d] = ["aa", "bb", "cc", "dd"].map(sha256);
    let file = |key_hash, user: &str, age| WaitingFile {
        key_hash,
        user: user.to_owned(),
        token_id: 7,
        created_at: minute(age),
    };
    assert_eq!(database.waiting_file(&a).await.unwrap(), None);
    for (file, is_recorded) in [
        (file(a, "one@example.com", 2), true),
        (file(b, "one@example.com", 0), true),
        (file(c, "one@example.com", 1), false),
        (file(d, "two@example.com", 1), true),
    ] {
        assert_eq!(database.begin_waiting(&file, 2).await.unwrap(), is_recorded);
        let expected = is_recorded.then(|| file.clone());
        assert_eq!(
            database.waiting_file(&file.key_hash).await.unwrap(),
            expected
        );
    }
    assert_eq!(database.waiting_since(minute(2), 9).await.unwrap(), [b, d]);
    assert_eq!(database.waiting_since(minute(9), 1).await.unwrap(), [b]);
    for _ in 0..2 {
        database.end_waiting(&b).await.unwrap();
        assert_eq!(database.waiting_file(&b).await.unwrap(), None);
    }
    let again = file(c, "one@example.com", 3);
    assert!(database.begin_waiting(&again, 2).await.unwrap());
    assert_eq!(
        database.waiting_since(minute(9), 9).await.unwrap(),
        [d, a, c]
    );
}
