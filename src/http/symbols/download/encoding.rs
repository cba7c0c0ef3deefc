//! Whether a client welcomes gzip (RFC 9110, 12.5.3).

use actix_web::http::header::{self, AcceptEncoding, Encoding};
use actix_web::{HttpMessage, HttpRequest};

/// Tells whether the client named gzip as welcome. Silence is taken as no, and so is `*`: debuggers that send no such
/// header, or send it without meaning it, cannot inflate.
pub(super) fn accepts_gzip(request: &HttpRequest) -> bool {
    if !request.headers().contains_key(header::ACCEPT_ENCODING) {
        return false;
    }
    let Some(accepted) = request.get_header::<AcceptEncoding>() else {
        return false;
    };
    accepted.negotiate([Encoding::gzip(), Encoding::identity()].iter()) == Some(Encoding::gzip())
}
