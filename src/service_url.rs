//! URLs of services, which may contain passwords.
//!
//! Only [`ServiceUrl::reveal`] returns the whole URL, for the driver that connects. Messages and logs show `…` wherever
//! a password could be.

use std::fmt;
use std::iter::{once, repeat};

use serde::{Deserialize, Serialize, Serializer};

/// Replaces a password.
const HIDDEN: &str = "…";

/// The URL of a service, such as `postgres://user:password@host/database`; shown without its password.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ServiceUrl(String);

impl ServiceUrl {
    /// The URL as configured, password included. Never for logs or messages.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns whether the URL is empty, so that no service is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text before the first colon, such as `postgres`; empty if there is no colon.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }
}

impl From<&str> for ServiceUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl From<String> for ServiceUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redact(&self.0))
    }
}

impl Serialize for ServiceUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redact(&self.0))
    }
}

/// Hides the password before an `@` and those among the parameters.
///
/// A password that is not percent-encoded may contain any of `/#@:`, so everything from the user's colon to the last
/// `@` is treated as one. If an `@` follows a `?`, the URL is ambiguous, and only its scheme is shown.
fn redact(url: &str) -> String {
    let (address, parameters) = url.split_once('?').unzip();
    let (address, parameters) = (address.unwrap_or(url), parameters.unwrap_or_default());
    if parameters.contains('@') {
        let (scheme, _) = url.split_once(':').unwrap_or_default();
        return format!("{scheme}:{HIDDEN}");
    }
    let mut shown = match address.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", redact_user(rest)),
        None => address.to_owned(),
    };
    for (parameter, separator) in parameters.split('&').zip(once('?').chain(repeat('&'))) {
        if parameter.is_empty() {
            continue;
        }
        shown.push(separator);
        match parameter.split_once('=') {
            Some((name, _)) if !is_harmless(name) => shown.extend([name, "=", HIDDEN]),
            _ => shown.push_str(parameter),
        }
    }
    shown
}

fn redact_user(address: &str) -> String {
    let Some((user_info, place)) = address.rsplit_once('@') else {
        return address.to_owned();
    };
    match user_info.split_once(':') {
        Some((user, _)) => format!("{user}:{HIDDEN}@{place}"),
        None => address.to_owned(),
    }
}

/// A percent-encoded name could stand for anything.
fn is_harmless(name: &str) -> bool {
    !name.contains('%') && !name.to_ascii_lowercase().contains("pass")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passwords_are_hidden_wherever_they_may_be() {
        for (url, shown) in [
            ("", ""),
            ("sqlite:symbold.sqlite", "sqlite:symbold.sqlite"),
            ("postgres://u:secret@h/db", "postgres://u:…@h/db"),
            ("postgres://u:se:c/re#t@x@h:5/db", "postgres://u:…@h:5/db"),
            ("postgres://u:sec?ret@h:5/db", "postgres:…"),
            ("postgres://h/db?password=sec@ret", "postgres:…"),
            ("redis://h/?", "redis://h/"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("postgres://h:5432/db", "postgres://h:5432/db"),
            (
                "postgres://u@/db?host=/run/pg&PassWord=secret&port=5",
                "postgres://u@/db?host=/run/pg&PassWord=…&port=5",
            ),
            (
                "postgres:///db?p%61ssword=secret",
                "postgres:///db?p%61ssword=…",
            ),
            ("redis://:secret@h:6379/0", "redis://:…@h:6379/0"),
            (
                "redis+unix:///run/redis.sock?db=1&pass=secret",
                "redis+unix:///run/redis.sock?db=1&pass=…",
            ),
        ] {
            assert_eq!(ServiceUrl::from(url).to_string(), shown);
        }
    }

    #[test]
    fn nothing_but_reveal_shows_the_password() {
        let url = ServiceUrl::from("postgres://u:secret@h/db");
        assert_eq!(url.reveal(), "postgres://u:secret@h/db");
        assert_eq!(url.scheme(), "postgres");
        assert_eq!(format!("{url:?}"), "\"postgres://u:…@h/db\"");
        assert_eq!(
            serde_json::to_string(&url).unwrap(),
            "\"postgres://u:…@h/db\""
        );
        let read: ServiceUrl = serde_json::from_str("\"postgres://u:secret@h/db\"").unwrap();
        assert_eq!(read, url);
    }

    proptest! {
        #[test]
        fn no_password_is_shown(password in "[a-z:/?#&=%@]{0,9}SECRET[a-z:/?#&=%@]{0,9}", parameter in "(\\?x=y@z)?") {
            let url = ServiceUrl::from(format!("redis://user:{password}@host:1/0{parameter}"));
            prop_assert!(!url.to_string().contains("SECRET"), "{url}");
        }

        #[test]
        fn no_password_among_the_parameters_is_shown(
            password in "[a-z:/?#=%@]{0,9}SECRET[a-z:/?#=%@]{0,9}",
            user in "(u@|u:p@)?",
        ) {
            let url = ServiceUrl::from(format!("postgres://{user}h/db?x=y&password={password}&z=1"));
            prop_assert!(!url.to_string().contains("SECRET"), "{url}");
        }
    }
}
