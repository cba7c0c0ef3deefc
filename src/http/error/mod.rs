//! The one table from the services' errors to status codes and sentences.
//!
//! Every error becomes JSON `{"error": "<sentence>", "code": "<stable name>"}`. Requests for symbolication get the
//! sentence as `title`, too, as the clients of Eliot expect. Symbol requests are answered in plain text, as debuggers
//! expect. For a failure on our side the client gets a general sentence. The conversion keeps the cause, and
//! `ApiError::head` logs it when it builds the response; nothing else here logs. Errors of uploads carry no cause: an
//! upload may outlive its request, so its service has logged the failure already.

mod api_error;
mod retry;
mod services;

pub(super) use api_error::{ApiError, BodyStatus};
