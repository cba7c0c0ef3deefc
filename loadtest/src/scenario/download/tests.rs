use std::rc::Rc;

use clap::Parser as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{LocalSet, spawn_local};

use super::*;
use crate::cli::{Cli, Command};

const TRACE: &str =
    "URI,STATUS CODE,PRIVATE,COUNT\n/a.pdb/AB0/a.sym,200,False,3\n/b.pdb/AB0/b.sym,404,False,1\n";

const STALL: Duration = Duration::from_millis(300);

/// A server that has a.sym, and that stops for a while at one of its requests, for all connections alike, as a
/// process does that is stopped by a signal.
async fn server(stalls_at: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Rc::new(Mutex::new(0));
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            spawn_local(serve(stream, Rc::clone(&requests), stalls_at));
        }
    });
    address
}

async fn serve(stream: TcpStream, requests: Rc<Mutex<u64>>, stalls_at: u64) -> Option<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    loop {
        let request = lines.next_line().await.ok()??;
        while !lines.next_line().await.ok()??.is_empty() {}
        let mut requests = requests.lock().await;
        *requests += 1;
        if *requests == stalls_at {
            sleep(STALL).await;
        }
        drop(requests);
        let answer: &[u8] = if request.contains("/a.sym ") {
            b"HTTP/1.1 302 Found\r\nDebug-Time: 0.002\r\nLocation: https://store/a\r\nContent-Length: 0\r\n\r\n"
        } else {
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nabsent"
        };
        writer.write_all(answer).await.ok()?;
    }
}

async fn measure(address: SocketAddr, arguments: &str) -> serde_json::Value {
    let words = format!("symbold-loadtest download --trace x --url http://{address} {arguments}");
    let Command::Download(options) = Cli::try_parse_from(words.split(' ')).unwrap().command else {
        panic!("another command");
    };
    let trace = Trace::read(TRACE.as_bytes()).unwrap();
    let downloads = Downloads::new(&options.server, &options.load, &trace, 1)
        .await
        .unwrap();
    let report = downloads.run("download").await;
    serde_json::to_value(report).unwrap()
}

/// Measures a [`server`] of its own.
async fn measure_own(stalls_at: u64, arguments: &str) -> serde_json::Value {
    LocalSet::new()
        .run_until(async { measure(server(stalls_at).await, arguments).await })
        .await
}

#[tokio::test]
async fn a_stalled_server_owes_its_stall_to_every_request_that_was_due() {
    let report = measure_own(301, "--rate 1000 --requests 900 --connections 4").await;
    assert_eq!(report["requests"], 900);
    assert_eq!(report["expected"], 1.0);
    let at_least = |name: &str, milliseconds: u64| {
        let told = report["all"][name].as_u64().unwrap();
        assert!(told >= milliseconds * 1000, "{name}: {told}");
    };
    // A closed loop would have seen the stall four times, once on each connection, and hidden it below its p99.
    at_least("max_microseconds", 290);
    at_least("p999_microseconds", 290);
    at_least("p99_microseconds", 280);
    // Of the 300 requests that were due meanwhile, 210 were due in its first 210 ms.
    at_least("p90_microseconds", 90);
    assert!(report["generator"]["queued"].as_u64().unwrap() >= 200);
}

#[tokio::test]
async fn a_closed_loop_sends_what_was_asked_for_and_counts_by_status() {
    let report = measure_own(0, "--requests 400 --connections 3").await;
    let counts: Vec<_> = report["statuses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["status"].as_str().unwrap(),
                row["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counts, [("302", 300), ("404", 100)]);
    assert_eq!(report["statuses"][0]["debug_time_microseconds"], 2000);
    assert_eq!(report["body_bytes"], 600);
    assert!(report.get("generator").is_none() && report.get("cache").is_none());
}

#[tokio::test]
async fn a_redirect_that_cannot_be_followed_is_no_answer() {
    let report = measure_own(0, "--requests 4 --connections 1 --follow").await;
    assert_eq!(report["statuses"][0]["status"], "no answer");
    assert_eq!(report["expected"], 0.25);
    let failures = report["failures"].as_object().unwrap();
    assert_eq!(
        failures["redirected to what is no http:// address: https://store/a"],
        3
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_told_and_the_run_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Due within a second, and nothing comes back until a second after that.
    let report = measure(
        address,
        "--rate 50 --duration 1 --timeout 1 --connections 2",
    )
    .await;
    assert_eq!(report["requests"], 50);
    assert_eq!(report["statuses"][0]["status"], "no answer");
    assert_eq!(report["expected"], 0.0);
}
