//! What is to be symbolicated: JSON or text, and the request that it becomes.

use anyhow::{Context, bail};
use serde_json::Value;

use super::text::{NamedModule, Text};

/// An input, with the request that asks for all of it.
#[derive(Debug)]
pub(super) enum Input {
    /// A request, as it came.
    Json(Vec<u8>),
    /// Lines of text, some of which name an address.
    Text { text: Text, request: Vec<u8> },
}

impl Input {
    /// Reads an input. What begins with `{` is JSON; `modules` gives ids to the modules of a text.
    pub(super) fn read(bytes: &[u8], modules: Vec<NamedModule>) -> anyhow::Result<Self> {
        if bytes.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice::<Value>(bytes).context("the input is not JSON")?;
            return Ok(Self::Json(bytes.to_vec()));
        }
        let text = Text::read(&String::from_utf8_lossy(bytes), modules);
        if !text.has_addresses() {
            bail!(
                "the input names no address: write JSON as POST /symbolicate/v5 takes it, \
                 or lines such as libxul.so/4C4C44…1+0x1234"
            );
        }
        let request = serde_json::to_vec(&text.request()).context("cannot write the request")?;
        Ok(Self::Text { text, request })
    }

    /// The JSON of the request.
    pub(super) fn request(&self) -> &[u8] {
        match self {
            Self::Json(request) | Self::Text { request, .. } => request,
        }
    }

    /// The modules of a text whose debug id is not known, each once.
    pub(super) fn without_id(&self) -> Vec<&str> {
        match self {
            Self::Json(_) => Vec::new(),
            Self::Text { text, .. } => text.without_id(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_taken_as_it_is() {
        let json = b" {\"jobs\": []}".to_vec();
        let input = Input::read(&json, Vec::new()).unwrap();
        assert_eq!(input.request(), json);
        assert!(Input::read(b"{\"jobs\":", Vec::new()).is_err());
    }

    #[test]
    fn a_text_without_addresses_is_refused() {
        let error = Input::read(b"nothing to see\n", Vec::new()).unwrap_err();
        assert!(error.to_string().contains("names no address"), "{error}");
    }
}
