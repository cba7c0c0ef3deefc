//! Why an archive could not be fetched.

/// One variant per reason. Where Tecken has a sentence, it is used. URLs are shown without their queries.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The operator has allowed no host.
    #[error(
        "This server fetches no archives by url. Send the archive itself as a file, or ask for its host to be added to \
         the setting upload.by_url.domains"
    )]
    Disabled,
    /// The text is not a URL.
    #[error("Enter a valid URL.")]
    Invalid,
    /// The URL is not `https`.
    #[error("Insecure URL")]
    Insecure,
    /// The host is not on the allow list.
    #[error("Not an allowed domain ('{0}') to download from.")]
    Domain(String),
    /// The host is in a private network.
    #[error("The destination of the URL is restricted")]
    Restricted,
    /// There are too many redirects, or one without a valid target.
    #[error("Too many redirects trying to open {0}")]
    Redirects(String),
    /// The remote server says that the archive does not exist or is forbidden.
    #[error("{0} can't be found ({1})")]
    NotFound(String, u16),
    /// The remote server answered with a status that is neither 200 nor an error.
    #[error("non-200 status code when retrieving {0}")]
    Status(String),
    /// The remote server sent a Content-Encoding, although the request asked for none.
    #[error("{0} came with a Content-Encoding, which is not supported")]
    Encoding(String),
    /// The remote server failed. The same upload may succeed later.
    #[error("{0} errored ({1}). Try again later")]
    Remote(String, u16),
    /// The remote server cannot be reached.
    #[error("ConnectionError trying to open {0}. Try again later")]
    Unreachable(String),
    /// The remote server takes too long.
    #[error("Timeout trying to open {0}. Try again later")]
    Timeout(String),
}

impl FetchError {
    /// A short name of the reason that does not change, for programs and for metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "url_disabled",
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
