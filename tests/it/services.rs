//! The servers that tests take away can indeed be taken away, and come back.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

use crate::support::{OwnPostgres, OwnRedis};

/// How long nothing has to happen until we believe that nothing will.
const SILENCE: Duration = Duration::from_millis(200);

fn connect_to_redis(redis: &OwnRedis) -> std::io::Result<TcpStream> {
    let url = redis.url();
    let stream = TcpStream::connect(url.strip_prefix("redis://").unwrap())?;
    stream.set_read_timeout(Some(SILENCE))?;
    Ok(stream)
}

fn ping(mut stream: &TcpStream) {
    stream.write_all(b"PING\r\n").unwrap();
}

fn answer(mut stream: &TcpStream) -> std::io::Result<String> {
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn redis_is_frozen_and_stopped_and_comes_back() {
    let Some(mut redis) = OwnRedis::launch() else {
        return;
    };
    let url = redis.url();
    let stream = connect_to_redis(&redis).unwrap();
    redis.freeze();
    ping(&stream);
    assert_eq!(answer(&stream).unwrap_err().kind(), ErrorKind::WouldBlock);
    redis.thaw();
    assert_eq!(answer(&stream).unwrap(), "+PONG\r\n");

    redis.stop();
    assert!(answer(&stream).is_err());
    assert!(connect_to_redis(&redis).is_err());
    redis.start();
    assert_eq!(redis.url(), url);
    let stream = connect_to_redis(&redis).unwrap();
    ping(&stream);
    assert_eq!(answer(&stream).unwrap(), "+PONG\r\n");
}

async fn connect_to_postgres(postgres: &OwnPostgres) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&postgres.url(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test]
async fn postgresql_is_frozen_and_stopped_and_comes_back_with_its_data() {
    let Some(mut postgres) = OwnPostgres::launch() else {
        return;
    };
    let client = connect_to_postgres(&postgres).await.unwrap();
    client
        .batch_execute("create table kept (id int); insert into kept values (42)")
        .await
        .unwrap();
    postgres.freeze();
    let mut query = Box::pin(client.query_one("select id from kept", &[]));
    let on_time = tokio::time::timeout(SILENCE, &mut query).await;
    assert!(on_time.is_err(), "a frozen server answers nothing");
    postgres.thaw();
    assert_eq!(query.await.unwrap().get::<_, i32>(0), 42);

    postgres.stop();
    assert!(client.simple_query("select 1").await.is_err());
    assert!(connect_to_postgres(&postgres).await.is_err());
    postgres.start();
    let client = connect_to_postgres(&postgres).await.unwrap();
    let row = client.query_one("select id from kept", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 42);
}

#[tokio::test]
async fn a_frozen_server_goes_away_with_its_test() {
    let Some(postgres) = OwnPostgres::launch() else {
        return;
    };
    let _client = connect_to_postgres(&postgres).await.unwrap();
    let url = postgres.url();
    let (_, folder) = url.split_once("host=").unwrap();
    assert!(Path::new(folder).exists());
    postgres.freeze();
    drop(postgres);
    assert!(!Path::new(folder).exists());
}
