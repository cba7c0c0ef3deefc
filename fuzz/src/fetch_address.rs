//! Addresses that an archive is to be fetched from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use symbold::upload::FetchConfig;
use url::{Host, Url};

/// Networks that no archive may come from (IANA's registries of special-purpose addresses, multicast), with the length
/// of their prefix.
const SPECIAL_V4: [([u8; 4], u32); 17] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([233, 252, 0, 0], 24),
    ([240, 0, 0, 0], 4),
    ([255, 255, 255, 255], 32),
];

/// The same for IPv6, each by its text.
const SPECIAL_V6: [(&str, u32); 20] = [
    ("::", 96),
    ("::ffff:0:0", 96),
    ("64:ff9b::", 96),
    ("64:ff9b:1::", 48),
    ("100::", 64),
    ("100:0:0:1::", 64),
    ("2001::", 23),
    ("2001:2::", 48),
    ("2001:10::", 28),
    ("2001:20::", 28),
    ("2001:db8::", 32),
    ("2002::", 16),
    ("3fff::", 20),
    ("4000::", 2),
    ("5f00::", 16),
    ("8000::", 1),
    ("fc00::", 7),
    ("fe80::", 10),
    ("fec0::", 10),
    ("ff00::", 8),
];

/// Checks the bytes as an address, and as the number of one.
///
/// # Panics
/// An address is accepted that is not of a listed host by HTTPS, or that is special.
pub fn fetch_address(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check(text);
    }
    if let Some(octets) = bytes.first_chunk::<4>() {
        check(&format!("https://{}/a.zip", Ipv4Addr::from(*octets)));
    }
    if let Some(octets) = bytes.first_chunk::<16>() {
        check(&format!("https://[{}]/a.zip", Ipv6Addr::from(*octets)));
    }
}

fn check(text: &str) {
    // Whatever host the text names is on the list: then nothing but the rules on addresses guards us.
    let listed = Url::parse(text.trim()).ok().and_then(|url| {
        let host = url.host_str()?.trim_end_matches('.');
        Some(host.to_owned())
    });
    let config = FetchConfig {
        domains: vec![listed.unwrap_or_default()],
        ..FetchConfig::default()
    };
    let nowhere = FetchConfig::default();
    assert!(nowhere.check(text).is_err(), "without domains");
    let Ok(url) = config.check(text) else {
        return;
    };
    assert_eq!(url.scheme(), "https");
    assert_eq!(
        (url.username(), url.password(), url.port()),
        ("", None, None)
    );
    match url.host().expect("what is accepted has a host") {
        Host::Ipv4(address) => assert!(!is_special(address.into()), "{address}"),
        Host::Ipv6(address) => assert!(!is_special(address.into()), "{address}"),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            assert!(!name.is_empty());
            assert!(name.parse::<IpAddr>().is_err(), "{name}");
        }
    }
    // The address that is asked is the one that was checked.
    assert_eq!(config.check(url.as_str()).ok(), Some(url));
}

fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => SPECIAL_V4.iter().any(|(network, length)| {
            let different = address.to_bits() ^ Ipv4Addr::from(*network).to_bits();
            different.leading_zeros() >= *length
        }),
        IpAddr::V6(address) => SPECIAL_V6.iter().any(|(network, length)| {
            let network: Ipv6Addr = network.parse().expect("the table has addresses");
            let different = address.to_bits() ^ network.to_bits();
            different.leading_zeros() >= *length
        }),
    }
}
