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
    accepted.negotiate([Encoding::gzip(), Encoding::identity()].iter()) == Some(Encoding::gzip())
}
