//! Makes a trace of a list of keys.
//!
//! Requests for symbols follow Zipf's law: the key of rank *r* is asked for with a chance proportional to 1/r^s. Which
//! key has which rank is for the seed to say, not for the order of the list. A share of the requests asks for a key's
//! twin, which has the same names and another id: a build that was never uploaded, as most missing symbols are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{MAX_REQUESTS, Row, Trace, TraceError};
use crate::random::Random;

/// How the requests spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Popularity {
    /// The exponent of Zipf's law: 0 makes all keys alike, 1 is the usual case.
    pub(crate) exponent: f64,
    /// From 0 to 1.
    pub(crate) missing: f64,
    /// Requests of the trace.
    pub(crate) requests: u64,
    /// Decides everything else.
    pub(crate) seed: u64,
}

impl Popularity {
    /// A trace of these keys and their twins.
    pub(crate) fn trace(&self, keys: &[String]) -> Result<Trace, TraceError> {
        if keys.is_empty() {
            return Err(TraceError::Empty);
        }
        let mut random = Random::new(self.seed);
        let mut ranked: Vec<&String> = keys.iter().collect();
        random.shuffle(&mut ranked);
        let law = Zipf::new(ranked.len(), self.exponent);
        let mut counts: BTreeMap<(usize, bool), u64> = BTreeMap::new();
        for _ in 0..self.requests.min(MAX_REQUESTS) {
            let rank = law.draw(&mut random);
            let is_missing = random.unit() < self.missing;
            *counts.entry((rank, is_missing)).or_default() += 1;
        }
        let rows = counts.into_iter().map(|((rank, is_missing), count)| {
            let key = ranked[rank];
            let key = if is_missing {
                self.twin(key, rank)
            } else {
                key.clone()
            };
            Row {
                path: format!("/{}", encoded(&key)),
                status: if is_missing { 404 } else { 200 },
                private: "False".to_owned(),
                count,
            }
        });
        Trace::new(rows.collect())
    }

    /// The same names with another id of the same length.
    fn twin(&self, key: &str, rank: usize) -> String {
        let mut parts = key.splitn(3, '/');
        let (debug_file, id) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let file = parts.next().unwrap_or("");
        let other = Random::new(self.seed ^ (rank as u64 + 1)).hexadecimal(id.len());
        format!("{debug_file}/{other}/{file}")
    }
}

/// Draws ranks from 0, the most likely one.
#[derive(Debug)]
struct Zipf {
    /// The chance of each rank or a better one, times the last element.
    cumulative: Vec<f64>,
}

impl Zipf {
    #[expect(clippy::cast_precision_loss, reason = "no list has 2^53 keys")]
    fn new(ranks: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=ranks).map(|rank| (rank as f64).powf(-exponent));
        let cumulative = weights.map(|weight| {
            sum += weight;
            sum
        });
        Self {
            cumulative: cumulative.collect(),
        }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let last = self.cumulative.len() - 1;
        let drawn = random.unit() * self.cumulative[last];
        self.cumulative
            .partition_point(|sum| *sum <= drawn)
            .min(last)
    }
}

/// The key as it stands in a request: every byte that is not always allowed there is percent-encoded (RFC 3986 §2).
pub(crate) fn encoded(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~+".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: usize) -> Vec<String> {
        (0..count)
            .map(|key| format!("m{key}.pdb/0123456789ABCDEF0/m{key}.sym"))
            .collect()
    }

    const POPULARITY: Popularity = Popularity {
        exponent: 1.0,
        missing: 0.3,
        requests: 100_000,
        seed: 5,
    };

    fn requests<'a>(rows: impl Iterator<Item = &'a Row>) -> u64 {
        rows.map(|row| row.count).sum()
    }

    #[test]
    fn the_share_of_missing_ones_and_the_number_of_requests_are_kept() {
        let keys = keys(1000);
        let trace = POPULARITY.trace(&keys).unwrap();
        assert_eq!(requests(trace.rows().iter()), 100_000);
        let (missing, found): (Vec<&Row>, Vec<&Row>) =
            trace.rows().iter().partition(|row| row.status == 404);
        let share = requests(missing.iter().copied());
        assert!((29_000..31_000).contains(&share), "{share}");
        assert!(
            found
                .iter()
                .all(|row| keys.contains(&row.path[1..].to_owned()))
        );
        assert!(
            missing
                .iter()
                .all(|row| !keys.contains(&row.path[1..].to_owned()))
        );
    }

    #[test]
    fn the_first_ranks_have_the_share_that_zipf_says() {
        let share = |exponent: f64| {
            let popularity = Popularity {
                exponent,
                missing: 0.0,
                ..POPULARITY
            };
            let mut counts: Vec<u64> = popularity
                .trace(&keys(1000))
                .unwrap()
                .rows()
                .iter()
                .map(|row| row.count)
                .collect();
            counts.sort_unstable_by(|one, other| other.cmp(one));
            counts[..10].iter().sum::<u64>()
        };
        // The harmonic numbers of 10 and of 1000 are 2.929 and 7.485: the first ten of a thousand get 39.1 %.
        assert!((38_000..40_500).contains(&share(1.0)), "{}", share(1.0));
        assert!((1000..2000).contains(&share(0.0)), "{}", share(0.0));
    }

    #[test]
    fn a_seed_decides_everything() {
        let keys = keys(50);
        let other = Popularity {
            seed: 6,
            ..POPULARITY
        };
        assert_eq!(
            POPULARITY.trace(&keys).unwrap(),
            POPULARITY.trace(&keys).unwrap()
        );
        assert_ne!(
            POPULARITY.trace(&keys).unwrap(),
            other.trace(&keys).unwrap()
        );
        assert!(matches!(POPULARITY.trace(&[]), Err(TraceError::Empty)));
    }

    #[test]
    fn a_key_is_encoded_for_a_request() {
        assert_eq!(
            encoded("c++filt/AB0/my lib%.sym"),
            "c++filt/AB0/my%20lib%25.sym"
        );
    }
}
