//! What requests are read as, and refused for.

mod request_properties;

use super::request::{bare_job, jobs};
use crate::symbolication::Address;

fn error_of(text: &str) -> String {
    jobs(text.as_bytes()).unwrap_err().to_string()
}

/// A job with this map and these stacks.
fn job(modules: &str, stacks: &str) -> String {
    format!(r#"{{"memoryMap":{modules},"stacks":{stacks}}}"#)
}

#[test]
fn jobs_are_read() {
    let text = r#"{"version":5,"jobs":[{"memoryMap":[["a.pdb","aB0"],["",""]],"stacks":[[[0,16],[1,-1],[-1,0]],[]]}]}"#;
    let jobs = jobs(text.as_bytes()).unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].modules[0].debug_file, "a.pdb");
    assert_eq!(jobs[0].modules[0].debug_id, "aB0");
    let address = |module, offset| Address { module, offset };
    let first = vec![
        address(Some(0), Some(16)),
        address(Some(1), None),
        address(None, Some(0)),
    ];
    assert_eq!(jobs[0].stacks, [first, vec![]]);
}

#[test]
fn a_bare_job_is_a_job_in_both_versions() {
    let text = job(r#"[["a","0"]]"#, "[[[0,1]]]");
    assert_eq!(jobs(text.as_bytes()), bare_job(text.as_bytes()));
    let several = format!("{{\"jobs\":[{text},{text}]}}");
    assert_eq!(jobs(several.as_bytes()).unwrap().len(), 2);
    let error = bare_job(several.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "job 0 is invalid: no stacks specified");
}

#[test]
fn the_last_of_equal_members_counts_and_a_mark_may_precede() {
    let text = "\u{feff}{\"jobs\":3,\"jobs\":[]}";
    assert_eq!(jobs(text.as_bytes()), Ok(vec![]));
    assert_eq!(error_of(r#"{"jobs":[],"jobs":3}"#), "jobs must be a list");
}

#[test]
fn what_is_no_json_is_refused() {
    let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
    let in_string = format!(r#"{{"jobs":[],"x":"{}"}}"#, "[\\\"".repeat(17));
    assert_eq!(jobs(in_string.as_bytes()), Ok(vec![]));
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{}x",
        "{\"jobs\":[NaN]}",
        deep.as_str(),
    ] {
        assert_eq!(error_of(text), "Payload is not valid JSON", "{text}");
    }
    let latin1 = jobs(b"{\"jobs\":[],\"x\":\"\xfc\"}").unwrap_err();
    assert_eq!(latin1.code(), "bad_json");
}

/// Modules, and what is wrong with them first.
const WRONG_MODULES: &[(&str, &str)] = &[
    ("1", "modules must be a list"),
    (
        r#"[["a"]]"#,
        "module index 0 does not have a debug_filename and debug_id",
    ),
    (
        r#"[["a","0"],["a/b",1]]"#,
        "module index 1 has an invalid debug_filename",
    ),
    (
        r#"[["a\n","0"]]"#,
        "module index 0 has an invalid debug_filename",
    ),
    (r#"[["a","g"]]"#, "module index 0 has an invalid debug_id"),
];

/// Stacks, and what is wrong with them first.
const WRONG_STACKS: &[(&str, &str)] = &[
    ("{}", "stacks must be a list of lists"),
    ("[]", "no stacks specified"),
    ("[[],1]", "stack 1 is not a list"),
    (
        "[[[-1,1],[0]]]",
        "stack 0 frame 1 is not a list of two items",
    ),
    ("[[[-2,1]]]", "stack 0 frame 0 has an invalid module_index"),
    (
        "[[[true,1]]]",
        "stack 0 frame 0 has an invalid module_index",
    ),
    (
        "[[[0,\"1\"]]]",
        "stack 0 frame 0 has a module_index that isn't in modules",
    ),
    (
        "[[[-1,1.0]]]",
        "stack 0 frame 0 has an invalid module_offset",
    ),
    (
        "[[[-1,1e3]]]",
        "stack 0 frame 0 has an invalid module_offset",
    ),
    (
        "[[[-1,null]]]",
        "stack 0 frame 0 has an invalid module_offset",
    ),
    (
        "[[[-1,18446744073709551616]]]",
        "stack 0 frame 0 has an invalid module_offset",
    ),
];

#[test]
fn the_first_problem_of_the_first_wrong_job_is_told() {
    let good = job(r#"[["a","0"]]"#, "[[[0,1]]]");
    let told = |bad: String| error_of(&format!("{{\"jobs\":[{good},{bad},1]}}"));
    for (modules, problem) in WRONG_MODULES {
        for stacks in ["1", "[[]]"] {
            let sentence = told(job(modules, stacks));
            assert_eq!(sentence, format!("job 1 has invalid modules: {problem}"));
        }
    }
    for (stacks, problem) in WRONG_STACKS {
        let sentence = told(job("[]", stacks));
        assert_eq!(sentence, format!("job 1 has invalid stacks: {problem}"));
    }
    assert_eq!(error_of("[]"), "job 0 is invalid");
    assert_eq!(
        error_of(r#"{"jobs":[{"memoryMap":1}]}"#),
        "job 0 is invalid: no stacks specified"
    );
    assert_eq!(
        error_of(r#"{"stacks":1}"#),
        "job 0 is invalid: no memoryMap specified"
    );
}

#[test]
fn what_all_jobs_hold_together_is_limited() {
    let eleven = format!("{{\"jobs\":[{}1]}}", "1,".repeat(10));
    let sentence = "please limit number of jobs in a single request to <= 10";
    assert_eq!(error_of(&eleven), sentence);
    let frames = format!("[[{}[-1,1]]]", "[-1,1],".repeat(124_999));
    let half = job("[]", &frames);
    assert!(jobs(format!("{{\"jobs\":[{half},{half}]}}").as_bytes()).is_ok());
    let more = job("[]", "[[[-1,1]]]");
    let text = format!("{{\"jobs\":[{half},{half},{more}]}}");
    let error = jobs(text.as_bytes()).unwrap_err();
    assert_eq!(error.code(), "too_large");
}
