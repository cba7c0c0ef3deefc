//! What every engine must do with tokens.

use super::minute;
use crate::db::tokens::{NewToken, TokenRecord};
use crate::db::{Database, DbError};

pub(super) async fn check_all(database: &dyn Database) {
    the_newest_token_comes_first(database).await;
    a_token_is_found_by_its_hash(database).await;
    a_token_is_revoked_once(database).await;
    a_secret_belongs_to_one_token(database).await;
}

fn token(secret_hash: &str) -> NewToken {
    NewToken {
        secret_hash: secret_hash.to_owned(),
        email: "build@example.com".to_owned(),
        permissions: vec!["upload".to_owned(), "upload \"try\", 汉".to_owned()],
        note: "the builders' own; Größe".to_owned(),
        created_at: minute(0),
        expires_at: minute(60),
    }
}

async fn the_newest_token_comes_first(database: &dyn Database) {
    assert_eq!(database.tokens().await.unwrap(), []);
    let mut ids = Vec::new();
    for (secret_hash, age) in [("first", 0), ("latest", 9), ("third", 5), ("fourth", 5)] {
        let token = NewToken {
            created_at: minute(age),
            ..token(secret_hash)
        };
        ids.push(database.insert_token(&token).await.unwrap());
    }
    let listed: Vec<i64> = database
        .tokens()
        .await
        .unwrap()
        .into_iter()
        .map(|record| record.id)
        .collect();
    assert_eq!(listed, [ids[1], ids[3], ids[2], ids[0]]);
}

async fn a_token_is_found_by_its_hash(database: &dyn Database) {
    let full = token("full");
    let bare = NewToken {
        permissions: vec![],
        note: String::new(),
        ..token("bare")
    };
    for token in [full, bare] {
        let id = database.insert_token(&token).await.unwrap();
        let found = database.token_by_hash(&token.secret_hash).await.unwrap();
        let expected = TokenRecord {
            id,
            token,
            revoked_at: None,
        };
        assert_eq!(found, Some(expected));
    }
    assert_eq!(database.token_by_hash("FULL").await.unwrap(), None);
    assert_eq!(database.token_by_hash("").await.unwrap(), None);
}

async fn a_token_is_revoked_once(database: &dyn Database) {
    let kept = database.insert_token(&token("kept")).await.unwrap();
    let id = database.insert_token(&token("revoked")).await.unwrap();
    assert!(database.revoke_token(id, minute(7)).await.unwrap());
    assert!(!database.revoke_token(id, minute(8)).await.unwrap());
    assert!(!database.revoke_token(i64::MAX, minute(8)).await.unwrap());

    let revoked = database.token_by_hash("revoked").await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(minute(7)));
    let other = database.token_by_hash("kept").await.unwrap().unwrap();
    assert_eq!((other.id, other.revoked_at), (kept, None));
}

async fn a_secret_belongs_to_one_token(database: &dyn Database) {
    database.insert_token(&token("twice")).await.unwrap();
    let refused = database.insert_token(&token("twice")).await;
    assert!(matches!(refused, Err(DbError::Conflict(_))), "{refused:?}");
}
