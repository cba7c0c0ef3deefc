//! Any address at all, against a plain table of the networks that no archive may come from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::select;
use reqwest::Url;

use super::FetchConfig;

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
const SPECIAL_V6: [(&str, u32); 19] = [
    ("::", 96),
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

/// Fails if an address is accepted that is not of a listed host by HTTPS, or that is special.
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
    let host = url.host_str().expect("what is accepted has a host");
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        assert!(!is_special(address), "{address}");
    } else {
        let name = host.trim_end_matches('.');
        assert!(!name.is_empty());
        assert!(name.parse::<IpAddr>().is_err(), "{name}");
    }
    // The address that is asked is the one that was checked.
    assert_eq!(config.check(url.as_str()).ok(), Some(url));
}

fn is_special(address: IpAddr) -> bool {
    // What is written as an IPv4-mapped address (::ffff:0:0/96) is the IPv4 address within.
    match address.to_canonical() {
        IpAddr::V4(address) => SPECIAL_V4.iter().any(|(network, length)| {
            let different = address.to_bits() ^ Ipv4Addr::from(*network).to_bits();
            different.leading_zeros() >= *length
        }),
        IpAddr::V6(address) => SPECIAL_V6.iter().any(|(network, length)| {
            let network: Ipv6Addr = network.parse().unwrap();
            let different = address.to_bits() ^ network.to_bits();
            different.leading_zeros() >= *length
        }),
    }
}

/// An address within one of the networks, or just beside it.
fn near<const N: usize>(network: [u8; N], length: u32, bits: [u8; N]) -> [u8; N] {
    let mut octets = bits;
    // The prefix but for its last bit, which decides on which side of the edge the address is.
    for bit in 0..length.saturating_sub(1) as usize {
        let mask = 0x80 >> (bit % 8);
        octets[bit / 8] = (octets[bit / 8] & !mask) | (network[bit / 8] & mask);
    }
    octets
}

proptest! {
    #[test]
    fn no_text_leads_to_a_special_address(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn no_url_leads_to_a_special_address(
        scheme in select(vec!["https", "HTTPS", "http", "ftp", ""]),
        user in select(vec!["", "me@", "me:secret@", "@", "8.8.8.8@"]),
        host in "[0-9a-fx.]{1,20}|\\[[0-9a-f:.]{2,20}\\]|(%[0-7][0-9a-f]|[a-z.-]){1,12}|\\PC{1,8}",
        port in select(vec!["", ":", ":443", ":8443", ":0"]),
        path in "\\PC{0,8}",
    ) {
        check(&format!("{scheme}://{user}{host}{port}/{path}"));
    }

    #[test]
    fn no_number_is_a_special_address(v4 in any::<[u8; 4]>(), v6 in any::<[u8; 16]>()) {
        check(&format!("https://{}/a.zip", Ipv4Addr::from(v4)));
        check(&format!("https://[{}]/a.zip", Ipv6Addr::from(v6)));
        check(&format!("https://{}/a.zip", u32::from_be_bytes(v4)));
    }

    #[test]
    fn special_networks_end_where_the_table_says(
        v4 in (select(SPECIAL_V4.to_vec()), any::<[u8; 4]>()),
        v6 in (select(SPECIAL_V6.to_vec()), any::<[u8; 16]>()),
    ) {
        let ((network, length), bits) = v4;
        check(&format!("https://{}/a.zip", Ipv4Addr::from(near(network, length, bits))));
        let mapped = Ipv4Addr::from(near(network, length, bits)).to_ipv6_mapped();
        check(&format!("https://[{mapped}]/a.zip"));
        let ((network, length), bits) = v6;
        let network: Ipv6Addr = network.parse().unwrap();
        let address = Ipv6Addr::from(near(network.octets(), length, bits));
        check(&format!("https://[{address}]/a.zip"));
    }
}
