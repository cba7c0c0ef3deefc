//! Whether a client accepts gzip (RFC 9110, 12.5.3).

use actix_web::http::header::{self, AcceptEncoding, Encoding, Preference};
use actix_web::{HttpMessage, HttpRequest};

/// Returns whether the client names gzip as acceptable. A missing header means no, and so does `*`: debuggers that send
/// either of them often cannot inflate. `x-gzip` is an older name of gzip (RFC 9110, 8.4.1.3).
pub(super) fn accepts_gzip(request: &HttpRequest) -> bool {
    if !request.headers().contains_key(header::ACCEPT_ENCODING) {
        return false;
    }
    let Some(mut accepted) = request.get_header::<AcceptEncoding>() else {
        return false;
    };
    for accepted in &mut accepted.0 {
        if let Preference::Specific(Encoding::Unknown(name)) = &accepted.item
            && name.eq_ignore_ascii_case("x-gzip")
        {
            accepted.item = Preference::Specific(Encoding::gzip());
        }
    }
    accepted.negotiate([Encoding::gzip(), Encoding::identity()].iter()) == Some(Encoding::gzip())
}
