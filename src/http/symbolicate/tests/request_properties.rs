//! Requests of any shape, read by a second reader that holds all of the JSON in memory.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::http::symbolicate::request::jobs;
use crate::symbolication::{Address, Job, ModuleName};

/// Values that stand where something else should.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(1.5)),
        "[a-g/ ]{0,3}".prop_map(Value::from),
        Just(json!([])),
        Just(json!([[1, 2], "a", "0"])),
        Just(json!({"stacks": []})),
    ]
}

/// Mostly the value, sometimes another one.
fn nearly(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    prop_oneof![30 => value.boxed(), 1 => odd().boxed()]
}

fn list(element: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    nearly(vec(nearly(element), 0..4).prop_map(Value::from))
}

fn request() -> impl Strategy<Value = Value> {
    let name = nearly("[A-Za-z0-9_.+{}@<> ~\\[\\]:-]{0,3}".prop_map(Value::from));
    let id = nearly("[a-fA-F0-9]{0,3}".prop_map(Value::from));
    let module = (name, id).prop_map(|(name, id)| json!([name, id]));
    let index = nearly((-1..4_i64).prop_map(Value::from));
    let offset = nearly(prop_oneof![
        (-1..4_i64).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
    ]);
    let frame = (index, offset).prop_map(|(index, offset)| json!([index, offset]));
    let job = (list(module), list(list(frame)));
    let job = job
        .prop_map(|(map, stacks)| json!({"memoryMap": map, "stacks": stacks}))
        .boxed();
    prop_oneof![
        nearly(job.clone()).boxed(),
        list(job).prop_map(|jobs| json!({"jobs": jobs})).boxed(),
    ]
}

/// The jobs of a request, if nothing is wrong with it.
fn second_reader(request: &Value) -> Option<Vec<Job>> {
    let members = request.as_object()?;
    match members.get("jobs") {
        None => Some(vec![second_job(request)?]),
        Some(jobs) => jobs.as_array()?.iter().map(second_job).collect(),
    }
}

fn second_job(job: &Value) -> Option<Job> {
    let pair = |value: &Value| -> Option<[Value; 2]> { value.as_array()?.clone().try_into().ok() };
    let modules = job.get("memoryMap")?.as_array()?.iter().map(|module| {
        let [name, id] = pair(module)?;
        let (name, id) = (name.as_str()?, id.as_str()?);
        let is_legal = name
            .chars()
            .all(|next| next.is_ascii_alphanumeric() || "_.+{}@<> ~-[]:".contains(next));
        let is_hex = id.chars().all(|digit| digit.is_ascii_hexdigit());
        (is_legal && is_hex).then(|| ModuleName {
            debug_file: name.to_owned(),
            debug_id: id.to_owned(),
        })
    });
    let modules: Vec<_> = modules.collect::<Option<_>>()?;
    let number = |value: &Value| match value.as_i64() {
        Some(-1) => Some(None),
        _ => value.as_u64().map(Some),
    };
    let address = |frame: &Value| {
        let [index, offset] = pair(frame)?;
        let (module, offset) = (number(&index)?, number(&offset)?);
        let module = module.map(|index| usize::try_from(index).unwrap());
        let is_known = module.is_none_or(|module| module < modules.len());
        is_known.then_some(Address { module, offset })
    };
    let stacks = job.get("stacks")?.as_array()?.iter();
    let stacks = stacks.map(|stack| stack.as_array()?.iter().map(address).collect());
    let stacks: Vec<_> = stacks.collect::<Option<_>>()?;
    (!stacks.is_empty()).then_some(Job { modules, stacks })
}

proptest! {
    #[test]
    fn a_request_is_read_as_the_second_reader_does(request in request()) {
        prop_assert_eq!(jobs(request.to_string().as_bytes()).ok(), second_reader(&request));
    }

    #[test]
    fn bytes_never_panic(
        request in request(),
        cut in any::<prop::sample::Index>(),
        bytes in vec(any::<u8>(), 0..4),
    ) {
        let mut text = request.to_string().into_bytes();
        let cut = cut.index(text.len() + 1);
        text.splice(cut.., bytes);
        if let Err(error) = jobs(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
