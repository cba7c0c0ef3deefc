//! Why an archive could not be fetched.

/// One variant per reason. Sentences that Tecken has are Tecken's; addresses are told without their queries.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The text is no address.
    #[error("Enter a valid URL.")]
    Invalid,
    /// The address is not `https`.
    #[error("Insecure URL")]
    Insecure,
    /// The host is not on the allow list.
    #[error("Not an allowed domain ('{0}') to download from.")]
    Domain(String),
    /// The host leads into a private network.
    #[error("The destination of the URL is restricted")]
    Restricted,
    /// More redirects than are followed, or one that leads nowhere.
    #[error("Too many redirects trying to open {0}")]
    Redirects(String),
    /// The other server says that there is no such archive, or that it may not be had.
    #[error("{0} can't be found ({1})")]
    NotFound(String, u16),
    /// The other server answered with something that is not the archive.
    #[error("non-200 status code when retrieving {0}")]
    Status(String),
    /// The other server compresses the archive once more, although it was asked not to.
    #[error("{0} came with a Content-Encoding, and none is taken")]
    Encoding(String),
    /// The other server is in trouble; the same upload may succeed later.
    #[error("{0} errored ({1}). Try again later")]
    Remote(String, u16),
    /// The other server does not answer.
    #[error("ConnectionError trying to open {0}. Try again later")]
    Unreachable(String),
    /// The other server takes too long.
    #[error("Timeout trying to open {0}. Try again later")]
    Timeout(String),
}

impl FetchError {
    /// A short name of the reason that does not change, for programs and for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "url_invalid",
            Self::Insecure => "url_insecure",
            Self::Domain(_) => "url_domain",
            Self::Restricted => "url_restricted",
            Self::Redirects(_) => "url_redirects",
            Self::NotFound(..) => "url_not_found",
            Self::Status(_) => "url_status",
            Self::Encoding(_) => "url_encoding",
            Self::Remote(..) => "url_remote_failed",
            Self::Unreachable(_) => "url_unreachable",
            Self::Timeout(_) => "url_timeout",
        }
    }
}
