use clap::CommandFactory;

use super::*;

fn hot(arguments: &[&str]) -> Result<Hot, clap::Error> {
    let words = ["symbold-loadtest", "hot"].iter().chain(arguments);
    match Cli::try_parse_from(words)?.command {
        Command::Hot(options) => Ok(options),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_defaults_fit_a_server_started_without_configuration() {
    let options = hot(&[]).unwrap();
    assert_eq!(options.server.url.authority, "127.0.0.1:8000");
    assert_eq!(
        (options.connections, options.seconds, options.found),
        (32, 5, None)
    );
}

#[test]
fn a_server_is_named_by_host_and_port() {
    let authority = |url: &str| url.parse::<Server>().map(|server| server.authority);
    assert_eq!(
        authority("http://localhost/"),
        Ok("localhost:80".to_owned())
    );
    assert_eq!(authority("http://[::1]:8000"), Ok("[::1]:8000".to_owned()));
    assert!(authority("https://localhost").is_err());
    assert!(authority("localhost:8000").is_err());
    assert!(authority("http://localhost/symbols").is_err());
    assert!(authority("").is_err());
}

#[test]
fn what_would_break_the_request_line_is_refused() {
    assert!(hot(&["--found", "/xul.pdb/4C1/xul.sym?try"]).is_ok());
    assert!(hot(&["--found", "xul.pdb/4C1/xul.sym"]).is_err());
    assert!(hot(&["--found", "/xul.pdb/4C1/xul sym"]).is_err());
    assert!(hot(&["--found", "/xul.pdb\r\nHost: other"]).is_err());
}

#[test]
fn every_number_has_a_bound() {
    for arguments in [
        ["--seconds", "0"],
        ["--seconds", "601"],
        ["--connections", "0"],
        ["--connections", "1025"],
        ["--rounds", "0"],
    ] {
        assert!(hot(&arguments).is_err(), "{arguments:?}");
    }
}

#[test]
fn the_scenarios_say_what_they_need() {
    let parses = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
    assert!(parses("x download --trace a.csv"));
    assert!(parses(
        "x download --keys a.txt --zipf 0 --missing 1 --rate 500 --poisson --expect 0.99"
    ));
    assert!(!parses("x download"));
    assert!(!parses("x download --trace a.csv --keys a.txt"));
    assert!(!parses("x download --trace a.csv --poisson"));
    assert!(parses("x upload --token abc a.zip b.zip --at-once 4"));
    assert!(parses("x upload --token-file t --generate large --count 3"));
    assert!(!parses("x upload --token abc"));
    assert!(!parses("x upload --token abc --generate small a.zip"));
    assert!(parses(
        "x mixed --keys a.txt --rate 100 --token abc --generate small"
    ));
    assert!(parses("x trace --builds 3 --list -o keys.txt"));
    assert!(!parses("x trace"));
    for number in [
        "--rate 0",
        "--rate nan",
        "--missing 1.1",
        "--zipf -1",
        "--expect 2",
        "--duration 0",
    ] {
        assert!(
            !parses(&format!("x download --trace a.csv {number}")),
            "{number}"
        );
    }
}

#[test]
fn a_token_that_would_break_the_head_is_refused() {
    assert_eq!(token(" abc\n"), Ok("abc".to_owned()));
    assert!(token("a\r\nb").is_err() && token("").is_err());
}
