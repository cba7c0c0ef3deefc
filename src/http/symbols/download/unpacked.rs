//! Answers with a file that is stored in a cabinet.
//!
//! The cabinet's own facts name the file's version, so conditions and HEAD are answered before anything is unpacked.
//! What has been unpacked lies in a temporary file, of which every range can be sent.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use super::body;
use super::file::{out_of_range, with_bytes, without_bytes};
use super::range::{self, Extent};
use super::representation::Representation;
use crate::catalog::Found;
use crate::download::{DownloadError, Wanted};
use crate::http::symbols::services::SymbolServices;

/// Answers a GET or HEAD request with a file that is stored in a cabinet. HEAD does not unpack it, so its answer has no
/// length.
pub(super) async fn send(
    request: &HttpRequest,
    services: &SymbolServices,
    cabinet: &Found,
    wanted: &Wanted<'_>,
) -> Result<HttpResponse, DownloadError> {
    let max_age = services.max_age;
    let expected = Representation::of_unpacked(&cabinet.info, None);
    if let Some(response) = without_bytes(request, &expected, max_age) {
        return Ok(response);
    }
    if request.method() == Method::HEAD {
        let mut response = expected.head(StatusCode::OK, max_age);
        return Ok(body::send_none(&mut response, None));
    }
    let unpacked = services.downloads.unpack(cabinet, wanted).await?;
    let length = unpacked.length();
    let actual = Representation::of_unpacked(unpacked.cabinet(), Some(length));
    if actual.tag() != expected.tag() {
        // The cabinet has been replaced since the lookup: the new version is sent as a whole.
        services
            .catalog
            .forget(&cabinet.source, &cabinet.path)
            .await;
        return match without_bytes(request, &actual, max_age) {
            Some(response) => Ok(response),
            None => with_bytes(request, &actual, unpacked.read(0..length), false, max_age).await,
        };
    }
    let (part, is_part) = match range::wanted(request.headers(), &actual) {
        Extent::Whole => (0..length, false),
        Extent::Part(part) => (part, true),
        Extent::Nothing(length) => return Ok(out_of_range(length)),
    };
    with_bytes(request, &actual, unpacked.read(part), is_part, max_age).await
}
