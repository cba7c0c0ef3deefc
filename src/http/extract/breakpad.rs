//! Requests of `symupload`: forms with a file, and texts that are almost JSON.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use serde_json::Value;

use super::form::{Form, Part, announced_length, check_form, receive_short};
use crate::auth::Uploader;
use crate::breakpad::{Announced, BreakpadError, Described, SymbolFile, SymbolType};
use crate::upload::{Intake, ReceiveError};

/// The name by which clients send the type of a file.
const TYPE: &str = "symbol_upload_type";

/// What a body that is longer than any description lacks.
const SHORT_DESCRIPTION: &str = "description of the file in at most 8 KiB";

/// Receives a form of the first protocol: `debug_file`, `debug_identifier` and the file. Other fields are ignored.
///
/// # Errors
/// The server is busy, the form lacks something, it is too large, or it does not arrive.
pub(in crate::http) async fn receive_symbol_file(
    request: &HttpRequest,
    body: Payload,
    uploader: &Uploader,
    intake: &Intake,
) -> Result<SymbolFile, BreakpadError> {
    check_form(request)?;
    let slot = intake
        .enter(uploader.token_id, announced_length(request))
        .await?;
    let mut form = Form::new(request, body, intake);
    let (mut file, mut debug_file, mut debug_id) = (None, None, None);
    while let Some(part) = form.next().await? {
        match part {
            Part::Value(name, value) if name == "debug_file" => debug_file = Some(value),
            Part::Value(name, value) if name == "debug_identifier" => debug_id = Some(value),
            Part::Value(..) => {}
            Part::File(_) if file.is_some() => return Err(ReceiveError::SecondFile.into()),
            Part::File(symbol_file) => {
                let incoming = intake.file().await?;
                file = Some(form.receive(symbol_file, incoming).await?);
            }
        }
    }
    let debug_file = debug_file.ok_or(BreakpadError::Lacks("field debug_file"))?;
    let debug_id = debug_id.ok_or(BreakpadError::Lacks("field debug_identifier"))?;
    Ok(SymbolFile {
        file: file.ok_or(BreakpadError::Lacks("file symbol_file"))?,
        described: Described::breakpad(&debug_file, &debug_id),
        slot,
    })
}

/// What a query says of the file of a module: its type, as `symbol_upload_type`, or nothing.
///
/// # Errors
/// There is no such type.
pub(in crate::http) fn announced_of_module(
    debug_file: &str,
    debug_id: &str,
    query: &str,
) -> Result<Announced, BreakpadError> {
    let described = Described::breakpad(debug_file, debug_id);
    Ok(match parameter(query, TYPE) {
        None => Announced::Module(described),
        Some(kind) => Announced::File(Described {
            kind: SymbolType::parse(&kind)?,
            ..described
        }),
    })
}

/// The file that a query describes: `debug_file`, `debug_id` and `symbol_upload_type`, as the last request of an upload
/// has them. `None` if one of them is absent: the tools send none.
///
/// # Errors
/// There is no such type.
pub(in crate::http) fn announced(query: &str) -> Result<Option<Described>, BreakpadError> {
    let kind = parameter(query, TYPE).map(|name| SymbolType::parse(&name));
    let kind = kind.transpose()?;
    let names = parameter(query, "debug_file").zip(parameter(query, "debug_id"));
    Ok(kind
        .zip(names)
        .map(|(kind, (debug_file, debug_id))| Described {
            debug_file,
            debug_id,
            kind,
        }))
}

fn parameter(query: &str, wanted: &str) -> Option<String> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let (_, value) = parameters.find(|(name, _)| name == wanted)?;
    Some(value.into_owned())
}

/// Receives the description of a file, which completes an upload of the second protocol.
///
/// # Errors
/// The body lacks something, is too long, or does not arrive.
pub(in crate::http) async fn receive_described(
    body: Payload,
    intake: &Intake,
) -> Result<Described, BreakpadError> {
    let bytes = receive_short(body, intake).await?;
    let bytes = bytes.ok_or(BreakpadError::Lacks(SHORT_DESCRIPTION))?;
    described(&String::from_utf8_lossy(&bytes))
}

/// Reads JSON, or the variant that the tools of Linux and Windows send: names without quotation marks.
fn described(text: &str) -> Result<Described, BreakpadError> {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let member = |name: &'static str| match &json {
        Some(json) => [&json["symbol_id"][name], &json[name]]
            .into_iter()
            .find_map(|value| value.as_str().map(str::to_owned)),
        None => quoted_after(text, name).map(str::to_owned),
    };
    let needed = |name| member(name).ok_or(BreakpadError::Lacks(name));
    let kind = member(TYPE).map(|name| SymbolType::parse(&name));
    Ok(Described {
        debug_file: needed("debug_file")?,
        debug_id: needed("debug_id")?,
        kind: kind.transpose()?.unwrap_or_default(),
    })
}

/// The text between quotation marks after `name:`. The tools escape nothing, and no legal name contains such a mark.
fn quoted_after<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    text.match_indices(name).find_map(|(start, _)| {
        let rest = text[start + name.len()..].trim_start().strip_prefix(':')?;
        let (value, _) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<(String, String, SymbolType)> {
        let described = described(text).ok()?;
        Some((described.debug_file, described.debug_id, described.kind))
    }

    #[test]
    fn what_each_system_sends_is_read() {
        let elf = Some(("app".into(), "AB0".into(), SymbolType::Elf));
        for text in [
            // Linux
            "{ symbol_id: {debug_file: \"app\", debug_id: \"AB0\" }, symbol_upload_type: \"ELF\" }",
            // Windows
            "{ symbol_id: {debug_file: \"app\", debug_id: \"AB0\" }, metadata: {product_name: \"debug_file\"},\
             symbol_upload_type: \"ELF\", use_async_processing: true }",
            // macOS
            "{\n  \"use_async_processing\" : \"true\",\n  \"symbol_upload_type\" : \"ELF\",\n  \"symbol_id\" : {\n    \
             \"debug_id\" : \"AB0\",\n    \"debug_file\" : \"app\"\n  }\n}",
        ] {
            assert_eq!(read(text), elf, "{text}");
        }
        let older = "{ debug_file: \"a b.pdb\", debug_id: \"AB0\" }";
        let breakpad = Some(("a b.pdb".into(), "AB0".into(), SymbolType::Breakpad));
        assert_eq!(read(older), breakpad);
        for text in [
            "",
            "{}",
            "[]",
            "{ debug_file: \"app }",
            "{ debug_file: \"app\" }",
            "\"x\"",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in any::<String>()) {
            let _ = described(&text);
        }

        #[test]
        fn any_name_without_a_quotation_mark_comes_through(name in "[^\"]{1,40}", id in "[0-9A-F]{1,40}") {
            let symbol_id = format!("{{debug_file: \"{name}\", debug_id: \"{id}\" }}");
            let text = format!("{{ symbol_id: {symbol_id}, symbol_upload_type: \"PE\" }}");
            prop_assert_eq!(read(&text), Some((name, id, SymbolType::Pe)));
        }
    }
}
