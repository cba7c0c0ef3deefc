//! Whether a client accepts gzip (RFC 9110, 12.5.3).

use actix_web::http::header::{self, AcceptEncoding, Encoding};
use actix_web::{HttpMessage, HttpRequest};

/// Returns whether the client names gzip as acceptable. A missing header means no, and so does `*`: debuggers that send
/// either of them often cannot inflate.
pub(super) fn accepts_gzip(request: &HttpRequest) -> bool {
    if !request.headers().contains_key(header::ACCEPT_ENCODING) {
        return false;
    }
    let Some(accepted) = request.get_header::<AcceptEncoding>() else {
        return false;
    };
    let prefers = |gzip: Encoding| {
        let offered = [gzip.clone(), Encoding::identity()];
        accepted.negotiate(offered.iter()) == Some(gzip)
    };
    prefers(Encoding::gzip()) || (names_x_gzip(request) && prefers(x_gzip()))
}

/// An older name of gzip (RFC 9110, 8.4.1.3).
const X_GZIP: &str = "x-gzip";

fn x_gzip() -> Encoding {
    Encoding::Unknown(X_GZIP.to_owned())
}

/// Returns whether the older name occurs, which spares all other requests a second weighing.
fn names_x_gzip(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(header::ACCEPT_ENCODING);
    accepted.into_iter().any(|value| {
        let mut windows = value.as_bytes().windows(X_GZIP.len());
        windows.any(|part| part.eq_ignore_ascii_case(X_GZIP.as_bytes()))
    })
}
